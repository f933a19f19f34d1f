package dev.lethe.cli.command;

import dev.lethe.Text;
import dev.lethe.cli.option.CommonOptions;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.option.LoadedModelOptions;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.cli.terminal.Progress;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.Sample;
import dev.lethe.format.StrictJson;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.GenerationOptions;
import dev.lethe.nn.Generator;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.session.Session;
import dev.lethe.session.machine.Work;
import dev.lethe.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ObjectNode;

/** Continues a text. */
@Command(
    name = "generate",
    description = "Continues a text with a model and, if given, an adapter; greedy by default.")
public final class GenerateCommand extends LetheCommand {
  /** Tokens for which converting the weights first does not pay. */
  private static final int FEW_TOKENS = 16;

  @Mixin private LoadedModelOptions model;
  @Mixin private CommonOptions common;

  @Option(names = "--adapter", paramLabel = "DIR", description = "adapter: a PEFT folder")
  private Path adapter;

  @Option(
      names = "--prompt",
      paramLabel = "TEXT",
      description = "the text to continue; empty to begin one")
  private String prompt;

  @Option(
      names = "--prompt-ids",
      paramLabel = "N,N",
      split = ",",
      description = "the tokens to continue, instead of a text; prints tokens")
  private int[] promptIds;

  @Option(
      names = "--max-new-tokens",
      paramLabel = "N",
      defaultValue = "100",
      description = "the most tokens to add (default: ${DEFAULT-VALUE})")
  private int maxNewTokens;

  @Option(
      names = "--temperature",
      paramLabel = "T",
      defaultValue = "0",
      description = "randomness; 0, the default, always takes the likeliest token")
  private double temperature;

  @Option(
      names = "--top-p",
      paramLabel = "P",
      defaultValue = "1",
      description = "sample among the likeliest tokens of together this probability (default: 1)")
  private double topP;

  @Option(names = "--ignore-eos", description = "go on after the token that ends a text")
  private boolean ignoreEos;

  public GenerateCommand(Console console) {
    super(console);
  }

  @Override
  public int run() {
    if ((prompt == null) == (promptIds == null)) {
      throw usage("give one of --prompt and --prompt-ids");
    }
    common.check(this);
    require(maxNewTokens >= 0, "--max-new-tokens is 0 or more", maxNewTokens);
    require(
        temperature >= 0 && Double.isFinite(temperature), "--temperature is a finite number of 0 or more", temperature);
    require(topP > 0 && topP <= 1, "--top-p is above 0 and at most 1", topP);
    try (Session session = model.forFewPasses(maxNewTokens <= FEW_TOKENS).open(this, common.openBackend(this))) {
      Tokenizer tokenizer = promptIds == null ? requireTokenizer(session) : null;
      int[] start = promptIds == null ? encode(tokenizer, session.spec()) : promptIds;
      requireMemory(session, start);
      AdaptedModel adapted = session.adapted(adapter);
      GenerationOptions options =
          new GenerationOptions(
              maxNewTokens, temperature, topP, common.seed, stops(adapted, tokenizer));
      Generator generator = new Generator(adapted, adapted.model().spec().maxPositions());
      TextStream stream = new TextStream(tokenizer, start);
      long begun = System.nanoTime();
      int[] tokens =
          generator.generate(
              start,
              options,
              token -> {
                if (!output.json && tokenizer != null) {
                  console.out().print(stream.add(token));
                  console.out().flush();
                }
                return !console.interrupt().requested();
              });
      finish(tokenizer, start, tokens, (System.nanoTime() - begun) / 1e9, stream);
      return console.interrupt().requested() ? ExitCode.INTERRUPTED : ExitCode.DONE;
    }
  }

  private void requireMemory(Session session, int[] start) {
    try (PeftFolder peft = adapter == null ? null : PeftFolder.open(adapter)) {
      List<Sample> prompt = start.length == 0 ? List.of() : List.of(new Sample("prompt", start, start, ""));
      fitting(session.memoryPlan(peft), Work.generate(maxNewTokens), prompt, BatchLimits.DEFAULT, true);
    }
  }

  private void finish(
      Tokenizer tokenizer, int[] start, int[] tokens, double seconds, TextStream stream) {
    if (output.json) {
      ObjectNode json = StrictJson.newObject();
      if (tokenizer != null) {
        json.put("prompt", prompt).put("text", stream.text(tokens));
      }
      IntStream.of(start).forEach(json.putArray("prompt_ids")::add);
      IntStream.of(tokens).forEach(json.putArray("new_ids")::add);
      json.put("seconds", seconds);
      print(json);
    } else if (tokenizer == null) {
      print(IntStream.of(tokens).mapToObj(Integer::toString).collect(Collectors.joining(",")));
    } else {
      print(stream.rest());
    }
    if (!output.quiet && tokens.length > 0 && seconds > 2) {
      progress()
          .say(
              Text.format(
                  "%d tokens in %s, %.1f a second",
                  tokens.length, Progress.duration(seconds), tokens.length / seconds));
    }
  }

  private Tokenizer requireTokenizer(Session session) {
    Tokenizer tokenizer = session.tokenizer();
    if (tokenizer == null) {
      throw usage(model.model + " has no tokenizer.json; give the prompt as --prompt-ids");
    }
    return tokenizer;
  }

  private int[] encode(Tokenizer tokenizer, TransformerSpec spec) {
    int[] ids =
        IntStream.concat(
                IntStream.of(tokenizer.before()), IntStream.of(tokenizer.encode(prompt, false)))
            .toArray();
    if (ids.length > 0) {
      return ids;
    }
    int bos = tokenizer.bosId() >= 0 ? tokenizer.bosId() : spec.bosId();
    if (bos < 0) {
      throw usage("the prompt is empty and this model has no token that begins a text");
    }
    return new int[] {bos};
  }

  private int[] stops(AdaptedModel adapted, Tokenizer tokenizer) {
    if (ignoreEos) {
      return new int[0];
    }
    IntStream ids = adapted.model().spec().eosIds().stream().mapToInt(Integer::intValue);
    int eos = tokenizer == null ? -1 : tokenizer.eosId();
    return IntStream.concat(ids, IntStream.of(eos)).filter(id -> id >= 0).distinct().toArray();
  }

  /** Prompt and continuation as text that grows; a token may hold a part of a character only. */
  private static final class TextStream {
    private final Tokenizer tokenizer;
    private int[] ids;
    private int printed;

    TextStream(Tokenizer tokenizer, int[] start) {
      this.tokenizer = tokenizer;
      this.ids = start.clone();
    }

    /** What the token adds to what was printed; nothing while a character is incomplete. */
    String add(int token) {
      ids = Arrays.copyOf(ids, ids.length + 1);
      ids[ids.length - 1] = token;
      String text = tokenizer.decode(ids);
      return text.endsWith("\uFFFD") ? "" : after(text);
    }

    String rest() {
      return after(tokenizer.decode(ids));
    }

    String text(int[] tokens) {
      int[] all = Arrays.copyOf(ids, ids.length + tokens.length);
      System.arraycopy(tokens, 0, all, ids.length, tokens.length);
      return tokenizer.decode(all);
    }

    private String after(String text) {
      String rest = text.substring(Math.min(printed, text.length()));
      printed = text.length();
      return rest;
    }
  }
}
