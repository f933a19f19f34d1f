"""Writes chat.json: real chat templates and what transformers renders from them.

    python make_chat.py AUTOMAP TOKENIZERS [--all OUT]

AUTOMAP is src/chat-template-automap.ts of the npm package @huggingface/ollama-utils 0.0.18; TOKENIZERS is the folder of
real tokenizers that ../tokenizers/README.md describes. --all writes every template found to OUT instead of the named
ones. Written with transformers 5.17.0, jinja2 3.1.6.
"""

import ast
import datetime
import json
import re
import sys
from pathlib import Path

import transformers.utils.chat_template_utils as utils

HERE = Path(__file__).parent


class Fixed(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26, 9, 5, 3)


utils.datetime = Fixed
NAMED = ["library/" + name for name in (
    "llama2:7b llama3:8b llama3.1:8b llama3.2:3b qwen2.5:0.5b qwen3:0.6b mistral:7b-instruct-fp16 mistral-small:24b mixtral:8x7b "
    "gemma2:2b gemma3:1b phi3:3.8b phi4:14b olmo2:7b smollm2:135m tinyllama:1.1b deepseek-r1:8b granite3.3:2b "
    "phi4-reasoning:14b").split()]

CONVERSATIONS = [
    [("user", "Hi there"), ("assistant", "Hello!")],
    [("system", "Be kind."), ("user", "Hi"), ("assistant", "Hello"), ("user", "  Bye \n"), ("assistant", "\n So long. ")],
    [("user", "A"), ("assistant", "B"), ("user", "C"), ("assistant", "D"), ("user", "E"), ("assistant", "F")],
    [("user", "Think!"), ("assistant", "<think>\nHm.\n</think>\n\nYes."), ("user", "Sure?"), ("assistant", "<think>\nWell.\n</think>\n\nNo.")],
    [("user", "caf\u00e9 \U0001F642 {{ x }} {% y %} <|im_end|> </s>"), ("assistant", "\u4f60\u597d\n\n```py\nx = {}\n```")],
    [("user", "Only a question")],
    [("system", ""), ("user", "x"), ("assistant", "")],
    [("user", "one"), ("user", "two"), ("assistant", "three")],
    [("assistant", "first"), ("user", "second"), ("assistant", "third")],
]

VALUES = {"s": " Hello World ", "u": "a\u00e9\U0001F642z", "n": 7, "f": 2.5, "none": None, "yes": True, "xs": [3, 1, 2], "d": {"b": 1, "a": [None, True, 1.0, "x'y"]},
          "ms": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "r", "n": 2}]}
EXPRESSIONS = """s.strip()|s.split()|s.split('o')|s.split('l', 1)|s.upper()|s | trim|s | length|u | length|u[1]|u[-2:]|u[::-1]|xs[::-1]|xs[1:]|xs[-2]
xs[9]|xs + [4]|xs | sort|xs | join(', ')|xs | first|xs | last|xs | sum|xs is iterable|s is string|d is mapping|missing is defined|missing|missing | default('x')
none is none|none|yes|not yes|n + 1|n / 2|n // 2|n % 4|-n // 2|-7 % 3|n ** 2|n * 'a'|'ab' * 3|f|f * 2|1e20|1.5e-7|0.1 + 0.2|n ~ 'x' ~ none|n == 7.0|1 == true
xs == [3, 1, 2]|(1, 2)|(1,)|[1, 'a', none, true, 2.0]|d|d.items() | list|d | items | list|d | tojson|d | tojson(indent=2)|d | dictsort|d.get('c', 5)|d['a'][3]|d.a[1]|d.zz
'a' in d|2 in xs|'lo' in s|4 not in xs|n > 3 and n < 10|1 < 2 < 3|3 > 2 > 2|'x' if n > 9 else 'y'|'x' if n > 9|ms | map(attribute='role') | list|ms | selectattr('n', 'defined') | list | length
ms | selectattr('role', 'equalto', 'user') | map(attribute='content') | first|ms | rejectattr('role', '==', 'user') | list | length|xs | select('odd') | list|xs | reject('gt', 2) | list
xs | map('string') | join('-')|'%s' | replace('s', 't')|s | replace('l', 'L', 1)|'a\\nb\\t\\u00e9\\'c'|"it's" | tojson|'a-b_c d' | title|'hELLO' | capitalize|'5' | int + 1|'x' | int(3)|'2.5' | float|n | float
'a\\nb\\n\\nc' | indent(2)|'a\\nb' | indent(2, true)|range(3) | list|range(5, 0, -2) | list|xs | unique | list|xs | reverse | list|'abc' | reverse|'abc' | list|s.startswith(' H')|s.endswith(('x', ' '))
s.replace('o', '0')|'a,b,,c'.split(',')|'a,b,c'.rsplit(',', 1)|'  a b '.split()|s.lstrip() ~ '.'|'xxabxx'.strip('x')|'abc'.find('c')|'abc'.count('b')|'A'.isupper()|'12'.isdigit()|'a b'.title()
'x' 'y'|[1, 2] ~ (3,)|dict(a=1).a|namespace(x=1).x|{'a': 1, 'b': 2} | length|'é' | tojson|'<&>' | tojson|(1.0, 100.0, 1e16, 1e15) | list|3 is divisibleby 3|4 is even|n is number|yes is boolean|1.0 is float
missing.x|missing + 1|1 + 'a'|xs | nosuch|s.nosuch()|xs.append(1)|d.update({})|raise_exception('no')|1 // 0|s.__class__|''.join(['a', 'b'])|none | default('x', true)|'' | default('x', true)
s | upper | trim | length|(xs | length) - 1|-xs[0]|loop|strftime_now('%d %b %Y, %H:%M')|'a' ~ 1 + 2|1 + 2 ~ 'a'|not 1 == 2|not none is none|n is not none|xs[n]|'{{'|'%}' ~ '}}'|"a" == 'a'
42.55 | round|f | round|-0.4 | round|2.675 | round(2)|42.55 | round(1, 'floor')|n | round|n | round(1, 'ceil')|1250 | round(-2)|n | round(method='up')|xs | max|xs | min|['b', 'A'] | min
['a', 'A'] | max(case_sensitive=true)|[{'k': 1}, {'k': 5}] | max(attribute='k')|[] | max is defined|[1, 'a'] | max|'x' | round"""
STATEMENTS = [
    "{% for x in xs %}{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }}{% endfor %}", "{% for x in [] %}a{% else %}b{% endfor %}",
    "{% for x in xs if x > 1 %}{{ loop.index0 }}{{ x }}{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% set x = 1 %}{% for i in xs %}{% set x = i %}{% endfor %}{{ x }}", "{% set ns = namespace(x=1) %}{% for i in xs %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}",
    "{% for x in xs %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "{% for x in xs %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% macro m(a, b='z') %}[{{ a }}{{ b }}]{% endmacro %}{{ m(1) }}{{ m(1, b=2) }}{{ m(a=3) }}", "{% set t %}a{{ n }} {% endset %}{{ t | trim }}|{{ t }}",
    "  {% if yes %}\n  a\n  {% endif %}\n b", "a  {%- if yes -%}  b  {%- endif -%}  c", "a\n  {{ n }}\n  {# c #}\nb\n", "a {%+ if yes %} b{% endif +%}\n c", "{{- n -}}  x",
    "\n  {#- c -#}  \n x", "{% if n > 9 %}a{% elif n > 5 %}b{% else %}c{% endif %}", "{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a }}", "{% filter upper %}ab{{ s }}{% endfilter %}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% for x in xs %}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}", "{% for x in xs %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% generation %}x{% endgeneration %}y", "line\r\nnext\rlast\n\n", "{% if yes %}\n\n{% endif %}x\n", "{% for x in xs %}\n{{ x }}\n{% endfor %}\n", "\t {% set y = 1 %} \nz", "{{ s }}\n{%- if yes %}\n!{% endif %}",
    "{% for m in ms %}{% for c in m.content %}{{ loop.first }}{% endfor %}{{ loop.last }}{% endfor %}", "{{ n }}%}", "{ { % }", "{% set x = s if yes else n %}{{ x }}", "{{ ms[0]['content'] ~ ms[-1].content }}",
]


def render_values(template):
    try:
        return utils._compile_jinja_template(template).render(**VALUES)
    except Exception:
        return None


def render(template, messages, prompt):
    try:
        (text,), _ = utils.render_jinja_template([messages], chat_template=template, add_generation_prompt=prompt,
                                                 bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>")
        return text
    except Exception as e:
        return None


def main():
    found = {}
    for line in Path(sys.argv[1]).read_text().splitlines():
        name = re.match(r'\s*model: "([^"]*)"', line)
        template = re.match(r"\s*gguf:\s*(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')", line)
        if name:
            model = name[1]
        if template:
            found[model] = ast.literal_eval(template[1])
    for folder in sorted(Path(sys.argv[2]).iterdir()):
        config = folder / "tokenizer_config.json"
        if config.exists():
            template = json.loads(config.read_text()).get("chat_template")
            if isinstance(template, str):
                found["npm " + folder.name] = template
    out = HERE / "chat.json"
    if "--all" in sys.argv:
        out = Path(sys.argv[sys.argv.index("--all") + 1])
    else:
        found = {name: found[name] for name in NAMED}
    conversations = [[{"role": r, "content": c} for r, c in conversation] for conversation in CONVERSATIONS]
    cases = [{"name": name, "template": template,
              "texts": [render(template, c, False) for c in conversations], "prompts": [render(template, c, True) for c in conversations]}
             for name, template in found.items()]
    out.write_text(json.dumps({"conversations": conversations, "templates": cases}, ensure_ascii=False, separators=(",", ":")) + "\n")
    if out.parent == HERE:
        templates = ["{{ " + e + " }}" for e in EXPRESSIONS.replace("\n", "\0").replace("|", "\1").replace(" \1 ", " | ").replace("\0", "\1").split("\1")] + STATEMENTS
        pairs = [[t, render_values(t)] for t in templates]
        (HERE / "expressions.json").write_text(json.dumps({"values": VALUES, "results": pairs}, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(len(cases), "templates", sum(t is not None for c in cases for t in c["texts"]), "texts")


main()
