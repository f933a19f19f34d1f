package dev.lethe.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.lethe.Text;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;

/** A standalone Spark cluster on the loopback address: a master and workers, each a process of its own. */
final class Cluster implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofMinutes(20);
  private static final List<String> OPENED =
      List.of(
          "java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util",
          "java.util.concurrent", "java.util.concurrent.atomic", "sun.nio.ch", "sun.nio.cs", "sun.util.calendar");

  private final Path dir;
  private final Path home;
  private final Path lethe;
  private final Path letheSpark;
  private final int port;
  private final Process master;
  private final List<Process> workers = new ArrayList<>();
  private final List<Process> drivers = new ArrayList<>();

  Cluster(Path dir) throws IOException {
    this.dir = dir;
    this.home = dir.resolve("spark");
    this.lethe = dir.resolve("lethe.jar");
    this.letheSpark = dir.resolve("lethe-spark.jar");
    Path jars = Files.createDirectories(home.resolve("jars"));
    try (JarOutputStream core = new JarOutputStream(Files.newOutputStream(lethe));
        JarOutputStream spark = new JarOutputStream(Files.newOutputStream(letheSpark))) {
      for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
        Path path = Path.of(entry).toAbsolutePath();
        if (entry.endsWith(".jar")) {
          Path link = jars.resolve(path.getFileName());
          if (Files.notExists(link)) {
            Files.createSymbolicLink(link, path);
          }
        } else if (Files.exists(path.resolve("dev/lethe/cli/Main.class"))) {
          pack(path, path, core);
        } else if (Files.exists(path.resolve("dev/lethe/spark/Main.class"))) {
          pack(path, path.resolve("dev/lethe/spark"), spark);
        }
      }
    }
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    master =
        start(
            "master", "300m", "org.apache.spark.deploy.master.Master",
            "--host", "127.0.0.1", "--port", "" + port, "--webui-port", "0");
    await("the master", () -> log("master").contains("New state: ALIVE"));
  }

  private static void pack(Path root, Path folder, JarOutputStream jar) throws IOException {
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path file : all.filter(Files::isRegularFile).sorted().toList()) {
        jar.putNextEntry(new JarEntry(root.relativize(file).toString()));
        Files.copy(file, jar);
        jar.closeEntry();
      }
    }
  }

  /** Starts a worker of one processor; its number. */
  int addWorker() throws IOException {
    int number = workers.size();
    workers.add(
        start(
            "worker-" + number, "300m", "org.apache.spark.deploy.worker.Worker",
            "--host", "127.0.0.1", "--cores", "1", "--memory", "1g", "--webui-port", "0",
            "--work-dir", dir.resolve("work-" + number).toString(), "spark://127.0.0.1:" + port));
    await("worker " + number, () -> log("worker-" + number).contains("Successfully registered with master"));
    return number;
  }

  /** Ends a worker and its executors at once. */
  void killWorker(int number) {
    Process worker = workers.get(number);
    List<ProcessHandle> executors = worker.descendants().toList();
    worker.destroyForcibly();
    executors.forEach(ProcessHandle::destroyForcibly);
  }

  /** A driver at work. */
  final class Driver {
    private final String name;
    private final Process process;

    private Driver(String name, Process process) {
      this.name = name;
      this.process = process;
    }

    /** Waits until its log holds a text. */
    Driver awaitLog(String text, int times) {
      await(name + ": " + text, () -> log(name).split(text, -1).length > times || !process.isAlive());
      return this;
    }

    /** Waits until something holds. */
    Driver awaitThat(String what, BooleanSupplier holds) {
      await(name + ": " + what, () -> holds.getAsBoolean() || !process.isAlive());
      return this;
    }

    void kill() throws InterruptedException {
      process.destroyForcibly().waitFor();
    }

    /** Waits for its end; what it wrote. */
    String end(int code) throws InterruptedException {
      if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
      assertEquals(code, process.waitFor(), () -> log(name));
      return log(name);
    }
  }

  /** Starts a driver as spark-submit does. */
  Driver submit(String name, List<String> conf, Class<?> main, Object... args) throws IOException {
    List<String> words = new ArrayList<>(List.of("--master", "spark://127.0.0.1:" + port));
    words.addAll(List.of("--conf", "spark.executor.memory=700m", "--conf", "spark.ui.enabled=false"));
    conf.forEach(each -> words.addAll(List.of("--conf", each)));
    words.addAll(List.of("--jars", lethe.toString(), "--class", main.getName(), letheSpark.toString()));
    Stream.of(args).map(Object::toString).forEach(words::add);
    Process process = start(name, "800m", "org.apache.spark.deploy.SparkSubmit", words.toArray(String[]::new));
    drivers.add(process);
    return new Driver(name, process);
  }

  private Process start(String name, String memory, String main, String... args) throws IOException {
    List<String> words = new ArrayList<>();
    words.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    OPENED.forEach(each -> words.add("--add-opens=java.base/" + each + "=ALL-UNNAMED"));
    words.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-Dlethe.save.seconds=1", "-Xmx" + memory));
    words.addAll(List.of("-cp", home.resolve("jars") + "/*", main));
    words.addAll(List.of(args));
    ProcessBuilder builder = new ProcessBuilder(words).directory(dir.toFile());
    builder.environment().put("SPARK_HOME", home.toString());
    builder.environment().put("SPARK_SCALA_VERSION", "2.13");
    builder.environment().put("SPARK_LOCAL_IP", "127.0.0.1");
    builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
    Path log = dir.resolve(name + ".log");
    builder.redirectErrorStream(true).redirectOutput(log.toFile());
    Process process = builder.start();
    OutputStream none = process.getOutputStream();
    none.close();
    return process;
  }

  private String log(String name) {
    try {
      return Files.readString(dir.resolve(name + ".log"));
    } catch (IOException e) {
      return "";
    }
  }

  private static void await(String what, BooleanSupplier holds) {
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (!holds.getAsBoolean()) {
      if (System.nanoTime() > end) {
        throw new AssertionError(Text.format("waited %s for %s", PATIENCE, what));
      }
      try {
        Thread.sleep(100);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new AssertionError("interrupted while waiting for " + what, e);
      }
    }
  }

  @Override
  public void close() {
    drivers.forEach(Process::destroyForcibly);
    for (int i = 0; i < workers.size(); i++) {
      killWorker(i);
    }
    master.destroyForcibly();
  }
}
