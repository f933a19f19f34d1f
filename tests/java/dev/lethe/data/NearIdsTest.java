package dev.lethe.data;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

class NearIdsTest {
  @Test
  void editDistance() {
    assertEquals(3, NearIds.distance("kitten", "Sitting"));
    assertEquals(4, NearIds.distance("", "abcd"));
    assertEquals("", NearIds.hint("q", List.of("abcdefgh")));
  }
}
