#!/bin/sh
# Near a minimum, what an influence step leads to where the retraining starts at the original adapter and so stays in its
# valley: for each seed of studies/minimum.json, 400 further steps on all rows, then 400 without two of them, and
# assessments of the steps beside that. After `lethe study studies/minimum.json --files FILES --out STUDY`.
#
#   docs/studies/warm_minimum.sh LETHE FILES STUDY OUT
set -eu
lethe=$1 files=$2 study=$3 out=$4
mkdir -p "$out"
rows="--model $files/stories260K --data $study/data/tofu-40.jsonl"
on="--optimizer sgd --lr 0.05 --momentum 0.9 --weight-decay 0.1 --batch 40 --epochs 400 --trajectory off"
for seed in 1 2 3; do
  at=$out/$seed
  mkdir -p "$at"
  first="$study/original/minimum/seed $seed"
  # shellcheck disable=SC2086
  {
    "$lethe" train $rows $on --seed $seed --init-adapter "$first" --out "$at/original"
    "$lethe" train $rows $on --seed $seed --init-adapter "$at/original" --without 0-1 --out "$at/retrained"
    for steps in 1 3; do
      "$lethe" unlearn $rows --adapter "$at/original" --forget 0-1 --method influence --damping 0 \
        --outer-steps $steps --out "$at/influence-$steps"
      "$lethe" assess $rows --original "$at/original" --unlearned "$at/influence-$steps" \
        --retrained "$at/retrained" --forget 0-1 --rows 20 --out "$at/assessment-$steps"
    done
  }
done
