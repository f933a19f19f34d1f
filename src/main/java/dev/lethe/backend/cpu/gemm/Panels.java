package dev.lethe.backend.cpu.gemm;

import dev.lethe.backend.cpu.primitive.RowPrimitives;
import dev.lethe.backend.cpu.primitive.TilePrimitives;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The right factor of a product, (depth,columns), cut into panels of 32 columns that lie one after
 * another, each row-major; so a micro-kernel reads it straight through. The last panel is 32 or 16
 * wide, filled up with zeros. In bfloat16 rows go in pairs: the two numbers of column 0, of column 1
 * and so on, which take the place of one float each; an odd last row is paired with zeros.
 *
 * <p>Panels of a weight that lies in another form lie nowhere; a product asks for a {@link #window} of them.
 *
 * @param segment null for panels that lie nowhere
 * @param type F32 or BF16
 * @param source where they come from; null for panels that lie in the segment
 * @param origin which byte of all panels the segment begins with
 */
public record Panels(
    MemorySegment segment, int depth, int columns, DType type, PanelSource source, long origin) {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;

  /** Panels of floats. */
  public Panels(MemorySegment segment, int depth, int columns) {
    this(segment, depth, columns, DType.F32);
  }

  /** Panels of a type. */
  public Panels(MemorySegment segment, int depth, int columns, DType type) {
    this(segment, depth, columns, type, null, 0);
  }

  /**
   * Panels of a matrix W (out,in) that stays where it lies, in any floating format.
   *
   * @param type of what is multiplied
   * @param columns whether panels have W's columns, for y·W; else they have W's rows, for x·Wᵀ
   */
  public static Panels stored(Cpu cpu, DType type, Tensor w, boolean columns) {
    int out = Math.toIntExact(w.dim(0));
    int in = Math.toIntExact(w.dim(1));
    StoredWeight source = new StoredWeight(new HostFloats("weight", w, cpu.rows()), in, cpu.tiles(), columns);
    return columns ? new Panels(null, out, in, type, source, 0) : new Panels(null, in, out, type, source, 0);
  }

  /** Floats that a matrix takes as panels. */
  public static long size(long depth, long columns) {
    return depth * TilePrimitives.padded(Math.toIntExact(columns));
  }

  /** Numbers that a matrix takes as panels of a type. */
  public static long size(long depth, long columns, DType type) {
    return size(type == DType.BF16 ? depth + depth % 2 : depth, columns);
  }

  /** Whether a product must ask for windows. */
  boolean elsewhere() {
    return source != null;
  }

  /**
   * Depths {@code k … kEnd} of one panel, made in memory that the next window takes over; places are those of
   * all panels.
   *
   * @param k a multiple of 32
   */
  Panels window(Scratch scratch, int panel, int k, int kEnd) {
    long first = (long) panel * TilePrimitives.WIDE;
    int width = width(panel);
    MemorySegment floats = source.panel(scratch, first, used(panel), width, k, kEnd);
    if (!bf16()) {
      return new Panels(floats, depth, columns, type, null, at(panel, k));
    }
    MemorySegment pairs =
        scratch.floats(Scratch.Slot.EXPANDED_PAIRS, Math.ceilDiv(kEnd - k, 2) * (long) width);
    Panels window = new Panels(pairs, depth, columns, type, null, at(panel, k));
    for (int row = k; row < kEnd; row++) {
      window.put(panel, row, used(panel), floats, 4L * (row - k) * width);
    }
    return window;
  }

  /** The same panels where a product reads all of one next, which are valid for that one. */
  Panels near(Scratch scratch, int panel) {
    PanelSource nearer = source.near(scratch, (long) panel * TilePrimitives.WIDE, used(panel));
    return new Panels(segment, depth, columns, type, nearer, origin);
  }

  boolean bf16() {
    return type == DType.BF16;
  }

  public int count() {
    return Math.ceilDiv(columns, TilePrimitives.WIDE);
  }

  /** Columns of a panel that hold numbers. */
  public int used(int panel) {
    return Math.min(TilePrimitives.WIDE, columns - panel * TilePrimitives.WIDE);
  }

  /** Columns of a panel. */
  int width(int panel) {
    return TilePrimitives.widthOf(used(panel));
  }

  /** Where row k of a panel begins, in bytes; the next column is 4 bytes behind. */
  long at(int panel, int k) {
    long columnsBefore = (long) panel * TilePrimitives.WIDE;
    if (bf16()) {
      long pairs = Math.ceilDiv(depth, 2);
      return 4L * (columnsBefore * pairs + (long) (k / 2) * width(panel)) + 2 * (k % 2) - origin;
    }
    return 4L * (columnsBefore * depth + (long) k * width(panel)) - origin;
  }

  /** Writes columns of row k of a panel, and zeros where a panel has more. */
  public void put(int panel, int k, int count, MemorySegment from, long offset) {
    long to = at(panel, k);
    int width = width(panel);
    if (!bf16()) {
      MemorySegment.copy(from, offset, segment, to, 4L * count);
      if (count < width) {
        segment.asSlice(to + 4L * count, 4L * (width - count)).fill((byte) 0);
      }
      return;
    }
    boolean odd = k == depth - 1 && k % 2 == 0;
    for (int j = 0; j < width; j++) {
      float value = j < count ? from.get(FLOAT, offset + 4L * j) : 0;
      segment.set(SHORT, to + 4L * j, DType.floatToBf16(value));
      if (odd) {
        segment.set(SHORT, to + 4L * j + 2, (short) 0);
      }
    }
  }

  /**
   * Adds factor times row k of the matrix to floats.
   *
   * @param scratch for rows of panels that lie nowhere
   */
  public void addRow(
      Scratch scratch, RowPrimitives rows, float factor, int k, MemorySegment to, long offset) {
    if (elsewhere()) {
      addMadeRow(rows, factor, source.row(scratch, k), to, offset);
      return;
    }
    for (int panel = 0; panel < count(); panel++) {
      long from = at(panel, k);
      long first = offset + 4L * panel * TilePrimitives.WIDE;
      if (!bf16()) {
        rows.axpby(factor, segment, from, 1, to, first, used(panel));
        continue;
      }
      for (int j = 0; j < used(panel); j++) {
        float value = DType.bf16ToFloat(segment.get(SHORT, from + 4L * j));
        to.set(FLOAT, first + 4L * j, to.get(FLOAT, first + 4L * j) + factor * value);
      }
    }
  }

  private void addMadeRow(
      RowPrimitives rows, float factor, MemorySegment row, MemorySegment to, long offset) {
    if (!bf16()) {
      rows.axpby(factor, row, 0, 1, to, offset, columns);
      return;
    }
    for (int j = 0; j < columns; j++) {
      float value = DType.bf16ToFloat(DType.floatToBf16(row.get(FLOAT, 4L * j)));
      to.set(FLOAT, offset + 4L * j, to.get(FLOAT, offset + 4L * j) + factor * value);
    }
  }

  /** Fills one panel from a matrix (depth,columns) in memory, whose rows or columns are contiguous. */
  public void pack(TilePrimitives tiles, int panel, Matrix source) {
    if (bf16()) {
      packPairs(panel, source);
      return;
    }
    int used = used(panel);
    long first = (long) panel * TilePrimitives.WIDE;
    if (source.columnStride() == 4) {
      for (int k = 0; k < depth; k++) {
        put(panel, k, used, source.segment(), source.at(k, first));
      }
    } else {
      int width = width(panel);
      tiles.transpose(
          used, depth, source.segment(), source.at(0, first), source.columnStride(), segment, at(panel, 0), 4L * width,
          width);
    }
  }

  private void packPairs(int panel, Matrix source) {
    int width = width(panel);
    int used = used(panel);
    long base = at(panel, 0);
    long first = (long) panel * TilePrimitives.WIDE;
    for (int j = 0; j < width; j++) {
      long from = source.at(0, first + j);
      for (int k = 0; k < depth + depth % 2; k++) {
        long to = base + 4L * ((long) (k / 2) * width + j) + 2 * (k % 2);
        boolean there = j < used && k < depth;
        float value = there ? source.segment().get(FLOAT, from + k * source.rowStride()) : 0;
        segment.set(SHORT, to, DType.floatToBf16(value));
      }
    }
  }

  /** Fills one panel of floats from a row-major matrix (depth,columns) in memory, times a factor. */
  public void packScaled(RowPrimitives rows, float factor, int panel, MemorySegment from, long offset) {
    int used = used(panel);
    if (used < width(panel)) {
      segment.asSlice(at(panel, 0), 4L * depth * width(panel)).fill((byte) 0);
    }
    for (int k = 0; k < depth; k++) {
      long source = offset + 4 * ((long) k * columns + (long) panel * TilePrimitives.WIDE);
      rows.scale(factor, from, source, segment, at(panel, k), used);
    }
  }

  /** Fills all panels from a matrix (depth,columns) in memory. */
  public void pack(TilePrimitives tiles, Matrix source) {
    for (int panel = 0; panel < count(); panel++) {
      pack(tiles, panel, source);
    }
  }
}
