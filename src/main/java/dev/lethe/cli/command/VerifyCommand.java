package dev.lethe.cli.command;

import dev.lethe.Text;
import dev.lethe.assess.record.Manifest;
import dev.lethe.assess.record.Signing;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import java.nio.file.Path;
import java.security.PublicKey;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Checks that an assessment is as it was written and signed. */
@Command(
    name = "verify",
    description = {
      "Computes the hash chain of an assessment's folder again, from its record and the bytes of its files, and",
      "checks the signature with --key. It does not open data or adapters, which the chain names by their hashes."
    })
public final class VerifyCommand extends LetheCommand {
  @Parameters(index = "0", paramLabel = "DIR", description = "the folder that lethe assess wrote")
  private Path folder;

  @Option(
      names = "--key",
      paramLabel = "FILE",
      description = "the signer's public Ed25519 key, PEM, which you have from elsewhere")
  private Path key;

  public VerifyCommand(Console console) {
    super(console);
  }

  @Override
  public int run() {
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
    return ExitCode.DONE;
  }
}
