package dev.lethe.train;

import dev.lethe.LetheException;
import dev.lethe.data.RowDigest.Match;
import dev.lethe.data.RowDigest;
import dev.lethe.data.RowKey;
import dev.lethe.data.Sample;
import dev.lethe.format.JsonFields;
import dev.lethe.format.Sha256;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.tensor.Tensor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.node.ObjectNode;

/**
 * What unlearning wants to know about the training of an adapter; kept beside it as {@value #FILE},
 * with the optimiser's vectors in {@value #MOMENTS}. It holds no times and no paths, so equal runs
 * leave equal bytes.
 *
 * @param options what was asked for
 * @param n samples trained on, without those that edits removed
 * @param steps optimiser steps done
 * @param learningRateSum over these steps
 * @param finalLoss of the last step; NaN where there was none
 * @param meanRootSecondMoment mean of √v̂ over the parameters at the end; NaN without AdamW
 * @param modelSha256 of the base model
 * @param dataSha256 of the samples trained on in data order, {@link #dataSha256(List)}
 * @param adapterSha256 of the adapter at the end
 * @param edits how the rows differ from those that order and batches belong to
 * @param rows what the data file said of the samples trained on
 * @param promptForm how rows became tokens, in words; null where that was not recorded
 * @param digest how {@code dataSha256} and {@code rows.contentsSha256} name the samples
 */
public record TrainingRecord(
    TrainOptions options,
    int n,
    long steps,
    double learningRateSum,
    double finalLoss,
    double meanRootSecondMoment,
    String modelSha256,
    String dataSha256,
    String adapterSha256,
    Edits edits,
    Rows rows,
    String promptForm,
    RowDigest digest) {
  /** The record's file name. */
  public static final String FILE = "lethe_training.json";

  /** The file name of {@code exp_avg/…} and {@code exp_avg_sq/…}. */
  public static final String MOMENTS = "lethe_adamw.safetensors";

  /** What the names of second moments begin with in {@value #MOMENTS}. */
  public static final String SECOND_MOMENT = "exp_avg_sq/";

  private static final long MAX_BYTES = 1 << 20;
  private static final int VERSION = 1;

  /** The record beside an adapter, if there is one. */
  public static Optional<TrainingRecord> read(Path adapterDir) {
    Path file = adapterDir.resolve(FILE);
    if (!Files.exists(file)) {
      return Optional.empty();
    }
    JsonFields f = new JsonFields(StrictJson.readObject(file, MAX_BYTES), file.toString());
    f.integer("version", VERSION, VERSION);
    f.required("options");
    return Optional.of(
        new TrainingRecord(
            TrainOptions.fromJson(f.objectOrNull("options")),
            (int) f.integer("n", 1, Integer.MAX_VALUE),
            f.integer("steps", 0, Long.MAX_VALUE),
            TrainOptions.number(f, "learning_rate_sum"),
            f.numberOr("final_loss", Double.NaN, 0, Double.MAX_VALUE),
            f.numberOr("mean_root_second_moment", Double.NaN, 0, Double.MAX_VALUE),
            f.text("model_sha256"),
            f.text("data_sha256"),
            f.text("adapter_sha256"),
            Edits.fromJson(f.objectOrNull("edits")),
            Rows.fromJson(f),
            f.stringOr("prompt_form", null),
            RowDigest.of(f.stringOr("row_key_id", null), adapterDir)));
  }

  /** The record of the same training for an adapter that was changed since. */
  public TrainingRecord withAdapter(String sha256) {
    return new TrainingRecord(
        options, n, steps, learningRateSum, finalLoss, meanRootSecondMoment, modelSha256,
        dataSha256, sha256, edits, rows, promptForm, digest);
  }

  /** The same record where rows of the data file were skipped because they cannot be used. */
  public TrainingRecord withSkipped(long skipped) {
    return new TrainingRecord(
        options, n, steps, learningRateSum, finalLoss, meanRootSecondMoment, modelSha256,
        dataSha256, adapterSha256, edits, new Rows(rows.contentsSha256, skipped), promptForm, digest);
  }

  /** The same with how its rows became tokens, in words. */
  public TrainingRecord withPromptForm(String words) {
    return new TrainingRecord(
        options, n, steps, learningRateSum, finalLoss, meanRootSecondMoment, modelSha256,
        dataSha256, adapterSha256, edits, rows, words, digest);
  }

  /** The same, naming its samples under a key; nothing where it does so already. */
  public TrainingRecord keyed(RowKey key) {
    return digest.isPlain() ? withData(dataSha256, rows.contentsSha256, RowDigest.by(key)) : this;
  }

  private TrainingRecord withData(String data, String contents, RowDigest named) {
    return new TrainingRecord(
        options, n, steps, learningRateSum, finalLoss, meanRootSecondMoment, modelSha256, named.of(data),
        adapterSha256, edits, new Rows(contents == null ? null : named.of(contents), rows.skipped), promptForm, named);
  }

  /** Whether samples are those of the training, in its order. */
  public Match match(List<Sample> samples) {
    return digest.match(dataSha256, dataSha256(samples));
  }

  /** Whether samples say what those of the training said; UNKNOWN also where the record does not tell. */
  public Match matchContents(List<Sample> samples) {
    return digest.match(rows.contentsSha256, contentsSha256(samples));
  }

  /** Refuses samples that are not those of the training where their rows became tokens in another way. */
  public void requireForm(List<Sample> samples, String words, String where) {
    boolean sameForm = promptForm == null || promptForm.equals(words);
    if (!sameForm && match(samples) != Match.SAME) {
      throw new LetheException(
          where, "the rows are other samples than in the training, which had another prompt form",
          "prompt form " + promptForm, words,
          "Read the data as the training did (--template, --supervise, --field, --max-length, --day).");
    }
  }

  /**
   * The record of the same training for an adapter that a request changed.
   *
   * @param target the rows as they are now
   * @param removed how many the request removed
   * @param replaced how many it replaced
   * @param adapterSha of the changed adapter
   * @param key under which the changed record names its rows
   */
  public TrainingRecord after(
      List<Sample> target, long removed, long replaced, String adapterSha, RowKey key) {
    boolean same = removed + replaced == 0;
    long slots = edits.slots == 0 ? n : edits.slots;
    Edits all =
        same
            ? edits
            : new Edits(slots, edits.removed + removed, edits.replaced + replaced, edits.divisor);
    return new TrainingRecord(
        options, target.size(), steps, learningRateSum, finalLoss, meanRootSecondMoment, modelSha256,
        dataSha256(target), adapterSha, all, new Rows(contentsSha256(target), rows.skipped), promptForm,
        RowDigest.PLAIN).keyed(key);
  }

  /**
   * Writes the record, and the optimiser's vectors where it was AdamW, into an adapter's folder.
   *
   * @param moments host tensors by {@code exp_avg/<name>} and {@code exp_avg_sq/<name>}
   */
  public void write(Path adapterDir, Map<String, Tensor> moments) {
    if (optimizer() == OptimizerKind.ADAMW) {
      SafeTensors.write(adapterDir.resolve(MOMENTS), moments, Map.of());
    }
    write(adapterDir);
  }

  /** Writes the record alone into an adapter's folder. */
  public void write(Path adapterDir) {
    AtomicFiles.writeText(adapterDir.resolve(FILE), StrictJson.write(toJson()));
  }

  private ObjectNode toJson() {
    ObjectNode json = StrictJson.newObject().put("version", VERSION);
    json.set("options", options.toJson());
    json.put("n", n).put("steps", steps).put("learning_rate_sum", learningRateSum);
    if (Double.isFinite(finalLoss)) {
      json.put("final_loss", finalLoss);
    }
    if (Double.isFinite(meanRootSecondMoment)) {
      json.put("mean_root_second_moment", meanRootSecondMoment);
    }
    json.put("model_sha256", modelSha256)
        .put("data_sha256", dataSha256)
        .put("adapter_sha256", adapterSha256);
    if (!edits.equals(Edits.NONE)) {
      json.set("edits", edits.toJson());
    }
    rows.addTo(json);
    if (promptForm != null) {
      json.put("prompt_form", promptForm);
    }
    if (!digest.isPlain()) {
      json.put("row_hashes", "hmac-sha256").put("row_key_id", digest.keyId());
    }
    return json;
  }

  /**
   * A damping for influence on an adapter that this training left under-trained: the mean of √v̂ (1
   * for SGD) over the sum of learning rates. In a direction of curvature c, K steps of rate η leave
   * a part of about 1/(1 + cηK/√v̂) undone, as a damping of √v̂/(ηK) does.
   *
   * @throws LetheException where no step was done
   */
  public double autoDamping() {
    double scale = optimizer() == OptimizerKind.ADAMW ? meanRootSecondMoment : 1;
    double damping = scale / learningRateSum;
    if (!(damping > 0) || Double.isInfinite(damping)) {
      throw new LetheException(
          FILE, "cannot give a damping", "a sum of learning rates and second moments above 0",
          learningRateSum + " and " + scale, "Pass a number as damping.");
    }
    return damping;
  }

  /** Seed of order and dropout. */
  public long seed() {
    return options.seed();
  }

  /** Whether the order was shuffled. */
  public boolean shuffle() {
    return options.shuffle();
  }

  /** Weight decay, decoupled with AdamW. */
  public double weightDecay() {
    return options.weightDecay();
  }

  /** Which optimiser. */
  public OptimizerKind optimizer() {
    return options.optimizer();
  }

  /** A hash of samples in their order: ids, tokens and labels. */
  public static String dataSha256(List<Sample> samples) {
    Sha256 hash = Sha256.start();
    for (Sample sample : samples) {
      hash.add(sample.id()).add(sample.inputIds()).add(sample.labels());
    }
    return hash.hex();
  }

  /** A hash of what samples say in their order, before they became tokens: ids and content hashes. */
  public static String contentsSha256(List<Sample> samples) {
    Sha256 hash = Sha256.start();
    samples.forEach(sample -> hash.add(sample.id()).add(sample.hash()));
    return hash.hex();
  }

  /**
   * What the data file said of the samples trained on.
   *
   * @param contentsSha256 see {@link TrainingRecord#contentsSha256(List)}; null in records that do not say
   * @param skipped rows of the file that cannot be used and were left out
   */
  public record Rows(String contentsSha256, long skipped) {
    /** Of a file that was read whole. */
    public static Rows of(List<Sample> samples) {
      return new Rows(TrainingRecord.contentsSha256(samples), 0);
    }

    static Rows fromJson(JsonFields f) {
      return new Rows(
          f.stringOr("contents_sha256", null),
          f.integerOr("skipped_rows", 0, 0, Integer.MAX_VALUE));
    }

    void addTo(ObjectNode json) {
      if (contentsSha256 != null) {
        json.put("contents_sha256", contentsSha256);
      }
      if (skipped > 0) {
        json.put("skipped_rows", skipped);
      }
    }
  }

  /**
   * How the rows trained on differ from those that order and batches belong to. It holds numbers only,
   * since ids can say much about a row.
   *
   * @param slots rows before the edits
   * @param removed rows left out
   * @param replaced rows read in another version
   */
  public record Edits(long slots, long removed, long replaced, Divisor divisor) {
    /** A training on all its rows as they are. */
    public static final Edits NONE = new Edits(0, 0, 0, Divisor.KEEP);

    /** What edits do to the rows of a plan. */
    public static Edits of(TrainingPlan plan, RowEdits edits) {
      long removed = plan.rows().stream().filter(row -> edits.apply(row) == null).count();
      long replaced = edits.replacements().size();
      return removed + replaced == 0
          ? NONE
          : new Edits(plan.rows().size(), removed, replaced, edits.divisor());
    }

    /** The reverse of {@link #toJson}; {@link #NONE} for null. */
    public static Edits fromJson(JsonFields f) {
      return f == null
          ? NONE
          : new Edits(
              f.integer("slots", 1, Integer.MAX_VALUE),
              f.integer("removed", 0, Integer.MAX_VALUE),
              f.integer("replaced", 0, Integer.MAX_VALUE),
              Divisor.of(f.text("divisor")));
    }

    /** As a JSON object. */
    public ObjectNode toJson() {
      return StrictJson.newObject()
          .put("slots", slots)
          .put("removed", removed)
          .put("replaced", replaced)
          .put("divisor", divisor.label());
    }
  }
}
