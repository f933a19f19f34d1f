package dev.lethe.study;

import dev.lethe.LetheException;
import dev.lethe.data.DatasetReader;
import dev.lethe.data.RequestFiles;
import dev.lethe.data.Row;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Runs what is missing of a plan. Each step is a command of this program, so that anybody can do a single one again; what
 * is done stays. Parts can be given to several machines.
 */
public final class Study {
  private final StudyPlan plan;
  private final StudyFolder folder;
  private final StudySteps steps;
  private final Runner runner;

  /** Runs one command. */
  @FunctionalInterface
  public interface Runner {
    /** Does a step that is not done. */
    StudyFolder.Note run(StudyStep step);
  }

  /**
   * @param runner throws where the study must stop
   */
  public Study(StudyPlan plan, StudyFolder folder, Runner runner) {
    this.plan = plan;
    this.folder = folder;
    this.steps = new StudySteps(plan);
    this.runner = runner;
  }

  /** Every step of the plan, with all points of every grid: what is to be checked before work. */
  public List<StudyStep> all() {
    Map<String, StudyStep> all = new LinkedHashMap<>();
    for (StudySteps.Block block : steps.blocks()) {
      steps.trainings(block).forEach(step -> all.put(step.name(), step));
      steps.cells(block, Map.of()).forEach(cell -> cell.steps().forEach(step -> all.put(step.name(), step)));
    }
    return List.copyOf(all.values());
  }

  /**
   * Refuses a request for rows that a setting's data do not have.
   *
   * @throws dev.lethe.LetheException with near ids
   */
  public void requireRequests() {
    for (StudyPlan.Setting setting : plan.settings()) {
      Path data = folder.at("data").resolve(setting.data() + ".jsonl");
      Set<String> rows =
          DatasetReader.open(data, Map.of(), false, false).rows().stream().map(Row::id).collect(Collectors.toSet());
      for (String request : setting.requests()) {
        List<String> options = plan.requests().get(request);
        int at = options.indexOf("--forget");
        if (at >= 0) {
          List<String> ids = RequestFiles.ids(options.get(at + 1), rows);
          ids.stream().filter(id -> !rows.contains(id)).findFirst().ifPresent(id -> {
            throw new LetheException(
                "request '" + request + "'", "asks for a row that the data '" + setting.data() + "' do not have",
                "ids of its rows", id, "Correct the request, or take other data.");
          });
        }
      }
    }
  }

  /**
   * Runs what is missing of a shard: every n-th block of a setting and a seed. Where seeds choose among a grid, what rests
   * on the choice waits until all of them are done, in this shard or another.
   *
   * @param index from 0
   * @param count number of shards
   * @param only the methods that are run; the others wait for another run
   */
  public void run(int index, int count, Set<String> only) {
    List<StudySteps.Block> all = steps.blocks();
    List<StudySteps.Block> mine = new ArrayList<>();
    for (int i = index; i < all.size(); i += count) {
      mine.add(all.get(i));
    }
    for (StudySteps.Block block : mine) {
      steps.trainings(block).forEach(this::complete);
      complete(steps.cells(block, Map.of()), only);
    }
    Map<String, Map<String, Double>> chosen = new Tuning(plan, steps, folder).chosen();
    mine.forEach(block -> complete(steps.cells(block, chosen), only));
  }

  private void complete(List<StudyCell> cells, Set<String> only) {
    cells.stream().filter(cell -> only.contains(cell.method())).forEach(this::complete);
  }

  private void complete(StudyCell cell) {
    if (!complete(cell.unlearned()).refused()) {
      complete(cell.assessment());
    }
  }

  private StudyFolder.Note complete(StudyStep step) {
    StudyFolder.Note known = folder.note(step).orElse(null);
    if (known != null) {
      return known;
    }
    StudyFolder.Note note = runner.run(step);
    folder.write(step, note);
    return note;
  }

  /** What is known by now. */
  public StudyTable table() {
    Map<String, Map<String, Double>> chosen = new Tuning(plan, steps, folder).chosen();
    StudyTable table = new StudyTable(plan.settings());
    for (StudySteps.Block block : steps.blocks()) {
      boolean chooses = plan.tuning().contains(block.seed());
      for (StudyCell cell : steps.cells(block, chosen)) {
        table.add(cell, chooses && !cell.point().isEmpty(), folder);
      }
      for (String method : block.setting().methods()) {
        boolean known = plan.methods().get(method).grid().isEmpty() || chooses;
        if (!known && !chosen.containsKey(block.setting().name() + "/" + method)) {
          table.waits(block.setting(), method);
        }
      }
    }
    return table;
  }
}
