package dev.lethe.spark;

import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.data.work.RowWorker;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.session.Session;
import dev.lethe.tensor.DType;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.resource.ResourceInformation;

/**
 * Which model an executor works with, by paths that every machine sees. Each executor opens the base model once, with its
 * first task, and every adapter once, and keeps them to its end.
 *
 * @param model the base model
 * @param adapter the adapter's folder
 * @param modelSha256 of the driver's model
 * @param adapterSha256 of the driver's adapter as it was opened
 * @param device the driver's backend
 * @param arithmetic what decides the driver's rounding
 * @param type of products; null for the device's own
 * @param threads of the CPU in each task; 0: the task's processors
 */
record ExecutorModel(
    String model,
    String adapter,
    String modelSha256,
    String adapterSha256,
    String device,
    String arithmetic,
    DType type,
    int threads)
    implements Serializable {
  private static final String GPU = "gpu";
  private static final Map<ExecutorModel, Session> SESSIONS = new ConcurrentHashMap<>();
  private static final Map<ExecutorModel, RowWorker<AdaptedModel>> OPEN = new ConcurrentHashMap<>();

  /** What executors open to work as this model's backend does. */
  static ExecutorModel of(Path model, Path adapter, AdaptedModel here, int threads) {
    Backend backend = here.backend();
    return new ExecutorModel(
        model.toAbsolutePath().normalize().toString(),
        adapter.toAbsolutePath().normalize().toString(),
        here.model().sha256(),
        here.adapter().sha256(),
        backend.name(),
        backend.arithmetic(),
        backend.productType(),
        threads);
  }

  /** This executor's worker; opened where this is the first task that asks. */
  RowWorker<AdaptedModel> worker() {
    return OPEN.computeIfAbsent(this, ExecutorModel::open);
  }

  private RowWorker<AdaptedModel> open() {
    requireThere(model, "the model");
    requireThere(adapter, "the adapter");
    Session session = SESSIONS.computeIfAbsent(base(), ExecutorModel::openBase);
    AdaptedModel adapted = session.adapted(Path.of(adapter));
    require("model", modelSha256, adapted.model().sha256());
    require("adapter", adapterSha256, adapted.adapter().sha256());
    return new RowWorker<>(adapted, () -> session.close(adapted));
  }

  /** The same without the adapter. */
  private ExecutorModel base() {
    return new ExecutorModel(model, "", modelSha256, "", device, arithmetic, type, threads);
  }

  private Session openBase() {
    int processors = threads == 0 ? TaskContext.get().cpus() : threads;
    Session session =
        Session.open(
            Path.of(model), Backends.select(device, new BackendOptions(processors, type, gpu())));
    try {
      require("rounding", arithmetic, session.backend().arithmetic());
      return session;
    } catch (RuntimeException | Error e) {
      session.close();
      throw e;
    }
  }

  /** The GPU that Spark gave the task; negative where it gave none. */
  private static int gpu() {
    ResourceInformation gpus = TaskContext.get().resourcesJMap().get(GPU);
    return gpus == null || gpus.addresses().length == 0 ? -1 : Integer.parseInt(gpus.addresses()[0]);
  }

  private static void requireThere(String path, String what) {
    if (!Files.exists(Path.of(path))) {
      throw new LetheException(
          where(), what + " is not on this machine", path, "nothing there",
          "Put it there, or on a file system that all machines of the cluster see under the same path.");
    }
  }

  private static void require(String what, String expected, String got) {
    if (!expected.equals(got)) {
      throw new LetheException(
          where(), "its " + what + " is not the driver's", expected, got,
          "Give all machines of the cluster the same files and the same kind of device.");
    }
  }

  private static String where() {
    SparkEnv env = SparkEnv.get();
    return "executor " + env.executorId() + " on " + env.blockManager().blockManagerId().host();
  }
}
