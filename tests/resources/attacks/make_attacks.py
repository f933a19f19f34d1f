"""Writes the hostile and broken safetensors files that the reader must refuse, each under its attack's name.

    python tests/resources/attacks/make_attacks.py tests/resources/attacks

expected.csv names, for each file, the kind of complaint (FormatException.Kind). Standard library only.
"""

import json
import struct
import sys
from pathlib import Path

OUT = Path(sys.argv[1])
EXPECTED = []


def entry(dtype="F32", shape=(2, 2), offsets=(0, 16)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def attack(name, kind, header, data=b"\0" * 16, length=None):
    if not isinstance(header, (str, bytes)):
        header = json.dumps(header, separators=(",", ":"))
    if isinstance(header, str):
        header = header.encode()
    raw(name, kind, struct.pack("<Q", len(header) if length is None else length) + header + data)


def raw(name, kind, content):
    (OUT / f"{name}.safetensors").write_bytes(content)
    EXPECTED.append((name, kind))


ONE = {"w": entry()}

# The file as a whole
raw("empty_file", "TRUNCATED", b"")
raw("seven_bytes", "TRUNCATED", b"\0" * 7)
raw("lfs_pointer", "LFS_POINTER",
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:0000000000000000000000000000000000000000000000000000000000000000\nsize 1044992\n")
raw("pickle_zip", "FOREIGN_FILE", b"PK\x03\x04\x00\x00\x08\x08\x00\x00archive/data.pkl")
raw("html_error_page", "FOREIGN_FILE", b"<!DOCTYPE html><html><body>404</body></html>")
attack("truncated_data", "TRUNCATED", ONE, data=b"\0" * 15)
attack("truncated_to_header", "TRUNCATED", ONE, data=b"")
attack("trailing_bytes", "TRAILING_BYTES", ONE, data=b"\0" * 17)
attack("polyglot_zip_appended", "TRAILING_BYTES", ONE, data=b"\0" * 16 + b"PK\x05\x06" + b"\0" * 18)

# The header's length
attack("header_longer_than_file", "TRUNCATED", ONE, length=1000)
attack("header_over_limit", "HEADER_LENGTH", ONE, length=100_000_001)
attack("header_length_negative", "HEADER_LENGTH", ONE, length=2**64 - 1)
attack("header_length_min_long", "HEADER_LENGTH", ONE, length=2**63)
attack("header_length_overflows_when_8_is_added", "HEADER_LENGTH", ONE, length=2**63 - 4)
attack("header_length_zero", "WRONG_TYPE", ONE, length=0)
attack("header_cut_short", "JSON_SYNTAX", ONE, length=30)

# The header's text
attack("not_utf8", "ENCODING", b'{"\xff\xfe":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}')
attack("overlong_utf8", "ENCODING", b'{"\xc0\xaf":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}')
attack("utf8_surrogate", "ENCODING", b'{"\xed\xa0\x80":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}')
attack("not_json", "JSON_SYNTAX", "w: F32 (2, 2)")
attack("json_array", "WRONG_TYPE", "[]", data=b"")
attack("json_string", "WRONG_TYPE", '"x"', data=b"")
attack("json_nan", "JSON_SYNTAX", '{"w":NaN}')
attack("json_comment", "JSON_SYNTAX", '{/*x*/"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}')
attack("json_single_quotes", "JSON_SYNTAX", "{'w':1}")
attack("json_trailing_comma", "JSON_SYNTAX", '{"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},}')
attack("two_json_values", "JSON_SYNTAX", json.dumps(ONE) + "{}")
attack("garbage_after_json", "JSON_SYNTAX", json.dumps(ONE) + "\0\0\0\0")
attack("deep_nesting", "TOO_LARGE", '{"w":{"x":' + "[" * 5000 + "]" * 5000 + "}}")
attack("deep_nesting_in_metadata", "WRONG_TYPE", '{"__metadata__":' + "[" * 5000 + "]" * 5000 + "}")
attack("number_of_a_thousand_digits", "TOO_LARGE",
       '{"w":{"dtype":"F32","shape":[' + "9" * 1000 + '],"data_offsets":[0,16]}}')

# Duplicate keys
dup = '{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}'
attack("duplicate_tensor", "DUPLICATE_KEY", '{"w":' + dup + ',"w":' + dup + "}")
attack("duplicate_tensor_escaped", "DUPLICATE_KEY", '{"w":' + dup + ',"\\u0077":' + dup + "}")
attack("duplicate_dtype", "DUPLICATE_KEY",
       '{"w":{"dtype":"F32","dtype":"I32","shape":[2,2],"data_offsets":[0,16]}}')
attack("duplicate_metadata", "DUPLICATE_KEY", '{"__metadata__":{},"__metadata__":{},"w":' + dup + "}")
attack("duplicate_metadata_key", "DUPLICATE_KEY", '{"__metadata__":{"a":"1","a":"2"},"w":' + dup + "}")

# Metadata
attack("metadata_of_numbers", "WRONG_TYPE", {"__metadata__": {"a": 1}, **ONE})
attack("metadata_nested", "WRONG_TYPE", {"__metadata__": {"a": {"b": "c"}}, **ONE})
attack("metadata_null_value", "WRONG_TYPE", {"__metadata__": {"a": None}, **ONE})
attack("metadata_list", "WRONG_TYPE", {"__metadata__": ["a"], **ONE})

# One tensor's entry
attack("entry_is_null", "WRONG_TYPE", {"w": None})
attack("entry_is_list", "WRONG_TYPE", {"w": [1, 2]})
for field in ("dtype", "shape", "data_offsets"):
    cut = entry()
    del cut[field]
    attack(f"missing_{field}", "MISSING_FIELD", {"w": cut})
attack("dtype_unknown", "UNKNOWN_DTYPE", {"w": entry(dtype="F8_E4M3", offsets=(0, 4))}, data=b"\0" * 4)
attack("dtype_lower_case", "UNKNOWN_DTYPE", {"w": entry(dtype="f32")})
attack("dtype_number", "WRONG_TYPE", {"w": entry(dtype=32)})
attack("shape_string", "WRONG_TYPE", '{"w":{"dtype":"F32","shape":"2,2","data_offsets":[0,16]}}')
attack("shape_float", "WRONG_TYPE", '{"w":{"dtype":"F32","shape":[2.0,2],"data_offsets":[0,16]}}')
attack("shape_exponent", "WRONG_TYPE", '{"w":{"dtype":"F32","shape":[4e0],"data_offsets":[0,16]}}')
attack("shape_negative", "OUT_OF_RANGE", {"w": entry(shape=(-2, -2))})
attack("shape_nested", "WRONG_TYPE", '{"w":{"dtype":"F32","shape":[[2,2]],"data_offsets":[0,16]}}')
attack("shape_rank_9", "RANK", {"w": entry(shape=(1,) * 8 + (4,))})
attack("shape_beyond_long", "OUT_OF_RANGE", {"w": entry(shape=(2**63,))})
attack("shape_product_overflows", "OVERFLOW", {"w": entry(shape=(2**32, 2**32))})
attack("shape_product_wraps_to_size", "OVERFLOW", {"w": entry(shape=(2**62 + 1, 4))})
attack("bytes_overflow", "OVERFLOW", {"w": entry(shape=(2**62,))})
attack("huge_zero_product", "OVERFLOW", {"w": entry(shape=(2**62, 4, 0), offsets=(0, 0))}, data=b"")
attack("size_too_small", "SIZE_MISMATCH", {"w": entry(shape=(2, 3))})
attack("size_too_large", "SIZE_MISMATCH", {"w": entry(shape=(2, 1))})
attack("size_of_other_dtype", "SIZE_MISMATCH", {"w": entry(dtype="F64")})

# Byte ranges
attack("offsets_reversed", "BAD_OFFSETS", {"w": entry(offsets=(16, 0))})
attack("offsets_one", "BAD_OFFSETS", {"w": entry(offsets=(16,))})
attack("offsets_three", "BAD_OFFSETS", {"w": entry(offsets=(0, 16, 16))})
attack("offsets_negative", "OUT_OF_RANGE", {"w": entry(offsets=(-16, 0))})
attack("offsets_float", "WRONG_TYPE", '{"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16.0]}}')
attack("offsets_beyond_file", "TRUNCATED", {"w": entry(shape=(2**40,), offsets=(0, 2**42))})
attack("offsets_near_max_long", "NOT_CONTIGUOUS", {"w": entry(offsets=(2**63 - 17, 2**63 - 1))})
attack("hole_at_start", "NOT_CONTIGUOUS", {"w": entry(offsets=(4, 20))}, data=b"\0" * 20)
attack("hole_between", "NOT_CONTIGUOUS", {"a": entry(), "b": entry(offsets=(20, 36))}, data=b"\0" * 36)
attack("overlap", "NOT_CONTIGUOUS", {"a": entry(), "b": entry(offsets=(8, 24))}, data=b"\0" * 24)
attack("same_bytes_twice", "NOT_CONTIGUOUS", {"a": entry(), "b": entry()})
attack("nested_ranges", "NOT_CONTIGUOUS",
       {"a": entry(shape=(3, 2), offsets=(0, 24)), "b": entry(offsets=(4, 20))}, data=b"\0" * 24)
attack("no_tensors_but_data", "TRAILING_BYTES", {})

(OUT / "expected.csv").write_text("".join(f"{name},{kind}\n" for name, kind in sorted(EXPECTED)))
print(len(EXPECTED), "attacks")
