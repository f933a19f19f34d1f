package dev.lethe.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.ClosedException;
import dev.lethe.autograd.Linearization;
import dev.lethe.autograd.Tape;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.cli.Workplace;
import dev.lethe.data.Sample;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.LostScopes;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.lang.ref.WeakReference;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** After close, whatever is asked of a thing fails with one exception, which says what it was and names both lines. */
class LifetimesTest {
  /** What a closed thing may still tell: what it is called. */
  private static final Set<String> NAMES =
      Set.of("close", "path", "toString", "hashCode", "getClass", "notify", "notifyAll", "wait");

  @TempDir private static Path dir;
  private static Workplace place;
  private static Path adapterDir;

  @BeforeAll
  static void train() {
    place = new Workplace(dir);
    adapterDir = place.adapter("adapter");
  }

  @Test
  void everyAccessorOfEachSaysWhatWasClosedAndWhere() {
    Session session = Session.open(place.model, "reference");
    AdaptedModel model = session.adapted(adapterDir);
    List<Sample> rows = session.samples(place.data);
    Batch batch = Batch.of(rows.subList(0, 2), session.backend());
    Tensor theta = model.adapter().theta();
    Linearization at = new Linearization(session.backend(), model.tape(batch), theta);
    SafeTensors file = SafeTensors.open(adapterDir.resolve("adapter_model.safetensors"));
    List<AutoCloseable> closed =
        List.of(at, batch, file, model.adapter(), model.model(), session.folder(), session);
    closed.forEach(LifetimesTest::close);
    for (AutoCloseable each : closed) {
      assertTrue(assertAllFail(each) >= 2, each + " has accessors");
    }
    assertNamesBothLines(assertThrows(ClosedException.class, () -> theta.segment()));
    assertThrows(ClosedException.class, () -> model.adapter().save(dir.resolve("late")));
  }

  @Test
  void whatABackendHeldEndsWithIt() {
    for (String device : List.of("reference", "cpu")) {
      Backend backend = Backends.select(device, new BackendOptions(1));
      Scope scope = backend.openScope("mine");
      Tensor tensor = scope.allocate(backend.vectorType(), 3);
      backend.close();
      backend.close();
      for (ClosedException e :
          List.of(
              assertThrows(ClosedException.class, () -> backend.openScope("late")),
              assertThrows(ClosedException.class, () -> scope.allocate(DType.F32, 3)),
              assertThrows(ClosedException.class, () -> tensor.get(0)),
              assertThrows(ClosedException.class, () -> backend.vectors().fill(tensor, 1)))) {
        assertTrue(e.getMessage().startsWith("backend " + device), e.getMessage());
        assertNamesBothLines(e);
      }
      scope.close();
    }
  }

  @Test
  void aScopeNamesTheLineThatOpenedIt() {
    try (Backend backend = Backends.select("reference", BackendOptions.DEFAULT)) {
      Scope scope = backend.openScope("mine");
      Tensor tensor = scope.allocate(DType.F64, 2);
      Tensor released = scope.allocate(DType.F64, 2);
      scope.release(released);
      ClosedException early = assertThrows(ClosedException.class, () -> released.get(0));
      assertTrue(early.getMessage().contains("after its release"), early.getMessage());
      scope.close();
      assertNamesBothLines(assertThrows(ClosedException.class, () -> tensor.get(0)));
    }
  }

  @Test
  void adaptersAreClosedOneByOne() {
    try (Session session = Session.open(place.model, "reference")) {
      long bare = session.model().backend().memoryUse().liveBytes();
      AdaptedModel one = session.adapted(adapterDir);
      AdaptedModel other = session.adapted(adapterDir);
      session.close(one);
      session.close(one);
      assertThrows(ClosedException.class, () -> one.adapter().theta());
      assertTrue(other.adapter().theta().elements() > 0);
      session.close(other);
      assertEquals(bare, session.backend().memoryUse().liveBytes());
    }
  }

  @Test
  void noLeakIsReportedForScopesOfAClosedBackend() {
    try (LostScopes lost = new LostScopes();
        Backend open = Backends.select("reference", BackendOptions.DEFAULT)) {
      Backend backend = Backends.select("reference", BackendOptions.DEFAULT);
      WeakReference<Scope> ended = new WeakReference<>(backend.openScope("of the closed one"));
      WeakReference<Scope> leaked = new WeakReference<>(open.openScope("really lost"));
      backend.close();
      List<String> said = lost.collected();
      for (int i = 0; i < 100 && !(names(said, "really lost") && ended.refersTo(null)); i++) {
        said = lost.collected();
      }
      assertTrue(leaked.refersTo(null));
      assertTrue(names(said, "really lost"), said::toString);
      assertTrue(!names(said, "of the closed one"), said::toString);
    }
  }

  private static boolean names(List<String> said, String scope) {
    return said.stream().anyMatch(line -> line.contains(scope));
  }

  /** Calls every public method without arguments; returns how many there are. */
  private static int assertAllFail(Object closed) {
    int tried = 0;
    for (Method method : closed.getClass().getMethods()) {
      if (method.getParameterCount() > 0
          || Modifier.isStatic(method.getModifiers())
          || method.isDefault()
          || NAMES.contains(method.getName())) {
        continue;
      }
      InvocationTargetException failure =
          assertThrows(InvocationTargetException.class, () -> method.invoke(closed), method::toString);
      assertInstanceOf(ClosedException.class, failure.getCause(), method.toString());
      assertNamesBothLines((ClosedException) failure.getCause());
      tried++;
    }
    return tried;
  }

  private static void assertNamesBothLines(ClosedException e) {
    String here = LifetimesTest.class.getName() + ".";
    String bothLines = "(?s).*opened at \\Q" + here + "\\E.*closed at \\Q" + here + "\\E.*";
    assertTrue(e.getMessage().matches(bothLines), e.getMessage());
  }

  private static void close(AutoCloseable each) {
    try {
      each.close();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }
}
