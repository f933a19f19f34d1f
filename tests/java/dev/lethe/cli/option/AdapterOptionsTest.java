package dev.lethe.cli.option;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.format.peft.PeftAdapterConfig;
import java.util.List;
import org.junit.jupiter.api.Test;

class AdapterOptionsTest {
  private static final List<String> LINEARS = List.of("q_proj", "v_proj", "gate_proj");

  @Test
  void allLinearIsTheDefaultByPeftsName() {
    AdapterOptions options = new AdapterOptions();
    PeftAdapterConfig byDefault = options.config("base", LINEARS);
    options.targets = List.of("all-linear");
    assertEquals(byDefault.raw(), options.config("base", LINEARS).raw());
    assertTrue(byDefault.targets("model.layers.0.mlp.gate_proj"));
  }

  @Test
  void namedTargetsAreTakenAsTheyAre() {
    AdapterOptions options = new AdapterOptions();
    options.targets = List.of("v_proj");
    PeftAdapterConfig config = options.config("base", LINEARS);
    assertTrue(config.targets("model.layers.0.self_attn.v_proj"));
    assertFalse(config.targets("model.layers.0.self_attn.q_proj"));
  }
}
