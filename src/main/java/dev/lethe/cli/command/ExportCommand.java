package dev.lethe.cli.command;

import dev.lethe.Text;
import dev.lethe.cli.option.AdapterOption;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.option.ModelOptions;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.OutputFolder;
import dev.lethe.format.gguf.BaseModels;
import dev.lethe.format.gguf.GgufFile;
import dev.lethe.format.gguf.GgufLora;
import dev.lethe.format.huggingface.ModelFiles;
import dev.lethe.format.peft.PeftFolder;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** An adapter in the form of another program. */
@Command(
    name = "export",
    description = "Writes an adapter for llama.cpp (llama-cli --lora FILE), and reads it again.")
public final class ExportCommand extends LetheCommand {
  @Mixin private ModelOptions model;
  @Mixin private AdapterOption adapter;

  @Option(
      names = "--gguf-lora",
      required = true,
      paramLabel = "FILE",
      description = "the GGUF file to write; must not exist")
  private Path ggufLora;

  public ExportCommand(Console console) {
    super(console);
  }

  @Override
  public int run() {
    OutputFolder.refuseExisting(ggufLora);
    take(ggufLora);
    try (ModelFiles base = BaseModels.open(model.model);
        PeftFolder peft = PeftFolder.open(adapter.adapter)) {
      GgufLora.write(ggufLora, peft, base.config());
      try (GgufFile written = GgufFile.open(ggufLora)) {
        if (output.json) {
          print(
              StrictJson.newObject()
                  .put("file", ggufLora.toString())
                  .put("tensors", written.names().size()));
        } else {
          print(Text.format(
              "%s: %d tensors of %d layers",
              ggufLora, written.names().size(), written.names().size() / 2));
        }
      }
      return ExitCode.DONE;
    }
  }
}
