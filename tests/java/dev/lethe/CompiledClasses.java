package dev.lethe;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;

/** Lethe's own classes as ArchUnit sees them, read once for all tests of a virtual machine. */
final class CompiledClasses {
  static final String ROOT = "dev.lethe";

  static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages(ROOT);

  private CompiledClasses() {}
}
