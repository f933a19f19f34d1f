package dev.lethe.cli.command;

import dev.lethe.Text;
import dev.lethe.assess.Assessment;
import dev.lethe.assess.Recomputed;
import dev.lethe.assess.Subjects;
import dev.lethe.assess.record.Manifest;
import dev.lethe.assess.record.Signing;
import dev.lethe.cli.option.CommonOptions;
import dev.lethe.cli.option.DataOptions;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.Sample;
import dev.lethe.session.RequestReader;
import dev.lethe.session.Session;
import dev.lethe.session.machine.Work;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.nio.file.Path;
import java.security.PublicKey;
import java.util.List;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Checks that an assessment is as it was written and signed. */
@Command(
    name = "verify",
    description = {
      "Computes the hash chain of an assessment's folder again, from its record and the bytes of its files, and",
      "checks the signature with --key. Given the model, the data and the adapters, it compares their hashes with the",
      "record and measures again what follows from predictions."
    })
public final class VerifyCommand extends LetheCommand {
  @Parameters(index = "0", paramLabel = "DIR", description = "the folder that lethe assess wrote")
  private Path folder;

  @Option(
      names = "--key",
      paramLabel = "FILE",
      description = "the signer's public Ed25519 key, PEM, which you have from elsewhere")
  private Path key;

  @Option(names = "--model", paramLabel = "DIR", description = "the base model; with --data and the adapters")
  private Path model;

  @Option(names = "--data", paramLabel = "FILE", description = "all rows that the original was trained on")
  private Path data;

  @Option(names = "--original", paramLabel = "DIR,DIR", split = ",", description = "as for assess")
  private List<Path> original = List.of();

  @Option(names = "--unlearned", paramLabel = "DIR,DIR", split = ",", description = "as for assess")
  private List<Path> unlearned = List.of();

  @Option(names = "--retrained", paramLabel = "DIR,DIR", split = ",", description = "as for assess")
  private List<Path> retrained = List.of();

  @Option(names = "--noise", paramLabel = "DIR,DIR", split = ",", description = "as for assess, where it was given there")
  private List<Path> noise = List.of();

  @Option(names = "--replace", paramLabel = "FILE", description = "as for assess, where it was given there")
  private Path replace;

  @Option(names = "--held-out", paramLabel = "FILE", description = "as for assess, where it was given there")
  private Path heldOut;

  @Mixin private DataOptions dataOptions;
  @Mixin private CommonOptions common;

  public VerifyCommand(Console console) {
    super(console);
  }

  @Override
  public void check() {
    boolean all = data != null && !original.isEmpty() && !unlearned.isEmpty() && !retrained.isEmpty();
    boolean some = data != null || !original.isEmpty() || !unlearned.isEmpty() || !retrained.isEmpty();
    require(
        model == null ? !some : all, "--model, --data, --original, --unlearned and --retrained are given together or not",
        "some of them");
    common.check(this);
    dataOptions.check(this);
  }

  @Override
  public int run() {
    check();
    PublicKey signer = key == null ? null : Signing.publicKey(key);
    for (Manifest.Link link : Manifest.verify(folder, signer)) {
      print(Text.format("%s  %s", link.sha256(), link.name()));
    }
    if (signer != null) {
      print("The chain agrees, and its signature is by this key.");
    } else if (Manifest.isSigned(folder)) {
      print("The chain agrees. It is signed; give the signer's public key by --key to check that.");
    } else {
      print("The chain agrees. It is not signed: whoever changed the files could have made it anew.");
    }
    if (model != null) {
      recompute();
    }
    return ExitCode.DONE;
  }

  private void recompute() {
    Recomputed recomputed = new Recomputed(folder);
    Session.Reading reading = dataOptions.reading();
    try (Session session = dataOptions.in(Session.open(model, common.openDevices(this)))) {
      List<Sample> replacements = replace == null ? List.of() : session.replacements(replace, reading);
      RequestReader reader = new RequestReader(original.getFirst(), session.load(data, reading));
      UnlearnRequest request = reader.request(recomputed.ids(), replacements, null);
      try (Subjects subjects = Subjects.open(session, original, unlearned, retrained, noise)) {
        List<Sample> others = heldOut == null ? List.of() : session.samples(heldOut, reading);
        List<Sample> rows =
            Stream.of(request.data(), replacements, others).flatMap(List::stream).toList();
        Work work = Assessment.work("verify", session.spec(), subjects.all().size(), 0, false);
        BatchLimits limits =
            dataOptions.limits(this, session, work, subjects.first().getFirst().model(), rows, false);
        Assessment assessment =
            new Assessment(
                    session, subjects, request, recomputed.options(Assessment.Options.USUAL.within(limits)))
                .heldOut(others);
        recomputed.hashes(assessment.hashes(), subjects).forEach(this::print);
        int numbers = recomputed.numbers(assessment.ofPredictions());
        print(
            Text.format(
                "Data and adapters are those of the record, and %,d numbers were measured again: distances, losses and"
                    + " what is known by heart. Answers and attacks were not.",
                numbers));
      }
    }
  }
}
