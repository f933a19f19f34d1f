/**
 * Studies: many trainings, unlearnings and assessments by one plan. {@link dev.lethe.study.StudyPlan} is what the file
 * says, {@link dev.lethe.study.StudySteps} the commands that follow from it, {@link dev.lethe.study.StudyTable} what came
 * of them.
 */
package dev.lethe.study;
