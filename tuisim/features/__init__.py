"""Features: one folder for each thing a person can ask for."""

COMMANDS = {
    "run": "tuisim.features.run.command:run",
    "count": "tuisim.features.explain.count.command:count",
    "answer": "tuisim.features.explain.answer.command:answer",
    "prove": "tuisim.features.explain.proof.command:prove",
    "compare": "tuisim.features.compare.race.command:compare",
    "crossover": "tuisim.features.compare.crossover.command:crossover",
    "profile": "tuisim.features.profile.command:profile",
    "calibrate": "tuisim.features.machine.calibrate.command:calibrate",
    "predict": "tuisim.features.estimate.predict.command:predict",
    "project": "tuisim.features.estimate.volume.command:project",
    "budget": "tuisim.features.estimate.budget.command:budget",
    "score": "tuisim.features.machine.score.command:score",
    "law": "tuisim.features.runs.command:law",
    "bench": "tuisim.features.compare.bench.command:bench",
    "doctor": "tuisim.features.machine.doctor.command:doctor",
}
"""Commands by name, each a module and its function, imported when it is called."""
