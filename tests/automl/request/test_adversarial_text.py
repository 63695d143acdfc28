"""Sentences of an adversary: what people and agents may write, in six languages, with the one right reading of each.

A reading that is not the right one is worse than a question: it costs GPU hours, or a search that was wanted.
"""

from __future__ import annotations

from typing import Any

import pytest

from automl.architectures.load import load_architecture
from automl.request.text import ParsedRequest, parse_request

METRICS = load_architecture("depth_net_mono").metrics.directions
MOST_ASKED = 0.3

PLAIN: dict[str, tuple[str | None, dict[str, Any]]] = {
    "Run 30 trials on my kitchen images": (None, {"trials": 30}),
    "Please tune the model for three hours": ("on", {"time_s": 10800}),
    "I'd like 15 trials, each limited to 20 minutes": (None, {"trials": 15, "trial_time_limit_s": 1200}),
    "Use 2 GPUs and at most 12 trials": (None, {"gpus": 2, "trials": 12}),
    "Search for 90 minutes on one GPU": ("on", {"time_s": 5400, "gpus": 1}),
    "Just train it once on my garden photos": ("off", {}),
    "Train once, no search": ("off", {}),
    "No hyperparameter search please, only train the model": ("off", {}),
    "Disable HPO and train for 2 hours": ("off", {"time_s": 7200}),
    "I want plain training on 2 GPUs": ("off", {"gpus": 2}),
    "Turn AutoML off for this run": ("off", {}),
    "Without AutoML, please": ("off", {}),
    "Skip the hyperparameter tuning": ("off", {}),
    "Do not run AutoML": ("off", {}),
    "Enable AutoML with 25 trials": ("on", {"trials": 25}),
    "Use AutoML, 25 trials, 4 at once": ("on", {"trials": 25, "jobs": 4}),
    "Find the best hyperparameters in 6 hours": ("on", {"time_s": 21600}),
    "Run a hyperparameter search with 40 trials on 8 GPUs": ("on", {"trials": 40, "gpus": 8}),
    "Maximise val/d1 in 10 trials": (None, {"metric": "val/d1", "trials": 10}),
    "Minimise abs rel, 10 trials": (None, {"metric": "val/abs_rel", "trials": 10}),
    "best rmse, two hours, one trial at a time": (None, {"metric": "val/rmse", "time_s": 7200, "jobs": 1}),
    "Give me the lowest rmse after 8 trials": (None, {"metric": "val/rmse", "trials": 8}),
    "twenty five trials please": (None, {"trials": 25}),
    "at most 3 hours and 30 minutes": (None, {"time_s": 12600}),
    "100 trials within 24 hours": (None, {"trials": 100, "time_s": 86400}),
    "Do 16 trials, 4 in parallel, 1 GPU each": (None, {"trials": 16, "jobs": 4, "gpus_per_trial": 1}),
    "Use a single GPU": (None, {"gpus": 1}),
    "Run it on the CPU": (None, {"gpus_per_trial": 0}),
    "8 GPU hours in total": (None, {"gpu_hours": 8}),
    "Keep it under 2 hours": (None, {"time_s": 7200}),
    "Fine-tune depth anything on our office scenes, 12 trials, 45 minutes": (None, {"trials": 12, "time_s": 2700}),
    "I have 4 A100s for 5 hours": (None, {"gpus": 4, "time_s": 18000}),
    "Train on my data": (None, {}),
    "Tune depth anything on the warehouse data": ("on", {}),
    "Our camera sees indoor rooms. 10 trials.": (None, {"trials": 10}),
    "seed 42, 10 trials": (None, {"seed": 42, "trials": 10}),
    "Use the random sampler with 50 trials": (None, {"sampler": "random", "trials": 50}),
    "use the asha scheduler, 30 trials": (None, {"scheduler": "asha", "trials": 30}),
    "one hour": (None, {"time_s": 3600}),
    "2 days, 3 GPUs": (None, {"time_s": 172800, "gpus": 3}),
    "limit the time to 45 minutes": (None, {"time_s": 2700}),
    "a budget of 12 trials": (None, {"trials": 12}),
    "Limit it to 6 trials": (None, {"trials": 6}),
    "Use half a GPU per trial": (None, {"gpus_per_trial": 0.5}),
    "train for 30 minutes, no tuning": ("off", {"time_s": 1800}),
    "just one training run on one GPU": ("off", {"gpus": 1}),
    "don't tune anything": ("off", {}),
    "AutoML: on, 5 trials": ("on", {"trials": 5}),
    "5 trials; best d1; 1 GPU": (None, {"trials": 5, "metric": "val/d1", "gpus": 1}),
    "Find good settings for my hotel pictures, 24 trials on 4 GPUs": ("on", {"trials": 24, "gpus": 4}),
    "We need the best abs rel we can get in 5 hours": (None, {"metric": "val/abs_rel", "time_s": 18000}),
    "Train depth anything once using my basement images": ("off", {}),
    "Run 6 experiments, 3 at the same time": (None, {"trials": 6, "jobs": 3}),
    "Spend no more than 40 minutes": (None, {"time_s": 2400}),
    "The budget is 3 hours": (None, {"time_s": 10800}),
    "time budget of 3 hours, 2 GPUs": (None, {"time_s": 10800, "gpus": 2}),
    "I have two GPUs": (None, {"gpus": 2}),
    "do 10 trials on the GPU": (None, {"trials": 10}),
    "no tuning": ("off", {}),
    "run without hyperparameter search": ("off", {}),
    "single training on my data": ("off", {}),
    "automl_policy: off, 2 GPUs": ("off", {"gpus": 2}),
    "automl policy on": ("on", {}),
    "optimise the hyperparameters with 12 trials": ("on", {"trials": 12}),
    "hyperparameter tuning, 12 trials": ("on", {"trials": 12}),
    "sweep 12 configurations": ("on", {"trials": 12}),
    "12 combinations in 1 hour": (None, {"trials": 12, "time_s": 3600}),
    "highest d2": (None, {"metric": "val/d2"}),
    "lowest validation loss, 5 trials": (None, {"metric": "val_loss", "trials": 5}),
    "please fine tune on the images of my robot": (None, {}),
    "use AutoML on 2 GPUs for 3 hours": ("on", {"gpus": 2, "time_s": 10800}),
    "use AutoML and find the best abs_rel": ("on", {"metric": "val/abs_rel"}),
    "These images are from a warehouse. Tune for one hour.": ("on", {"time_s": 3600}),
    "30 min": (None, {"time_s": 1800}),
    "15 trials, 2 GPUs per trial": (None, {"trials": 15, "gpus_per_trial": 2}),
    "sequentially, 5 trials": (None, {"jobs": 1, "trials": 5}),
    "train it on the CPU only": (None, {"gpus_per_trial": 0}),
    "just train": ("off", {}),
    "only train": ("off", {}),
    "minimise the loss": (None, {"metric": "val_loss"}),
    "search, but don't use more than 20 trials and no GPU": ("on", {"gpus_per_trial": 0, "trials": 20}),
    "20-trials": (None, {"trials": 20}),
    "trials=20": (None, {"trials": 20}),
    "sampler: none": (None, {"sampler": "none"}),
    "scheduler: maybe": (None, {"scheduler": "maybe"}),
    "maximal 20 trials": (None, {"trials": 20}),
    "Could you tune it with 10 trials and the best d1?": ("on", {"trials": 10, "metric": "val/d1"}),
    "Train the network once on my basement scans": ("off", {}),
    "search batch size 4..8": ("on", {"search": "batch_size=4..8"}),
    "search space: lr 1e-5..1e-3, batch size 4, 8": ("on", {"search": "learning_rate=1e-5..1e-3; batch_size={4,8}"}),
    "search lr on a log scale between 1e-5 and 1e-3": ("on", {"search": "learning_rate=1e-5..1e-3:log"}),
    "20 trials with batch size 8 or 16": ("on", {"trials": 20, "search": "batch_size={8,16}"}),
    "search lr between .001 and .1": ("on", {"search": "learning_rate=0.001..0.1"}),
    "Use /data/a for training and /data/b for validation": (None, {"train_data": "/data/a", "val_data": "/data/b"}),
    "Launch an AutoML sweep with 32 trials, max 4 concurrent": ("on", {"trials": 32, "jobs": 4}),
}
"""Sentence -> policy and settings; one that names neither says nothing about them."""
STOPPED = """for 12 iterations|batch 16|weight decay 0.01
    |use a cosine schedule|with AdamW|crop size 518|image size 224x224|use bf16|mixed precision|encoder vits
    |vit-large backbone|freeze the encoder|use the small model|warmup of 2 epochs|early stopping|dropout 0.1
    |three seeds|repeat the best trial 3 times|don't touch the learning rate
    |keep the batch size fixed|vary the crop size|use 8 workers|on 2 nodes|with 64 GB of memory
    |start from vits.pth|resume from the last checkpoint|export to onnx afterwards|send me a mail|name it kitchen-1
    |save to /data/out|use docker|in a container|metric: val/foo|maximise accuracy|memory below 40 GB
    |latency under 10 ms|use ranger|train longer|a bigger batch|smaller learning rate|lower the lr
    |raise the resolution|with augmentation|no augmentation|flip images horizontally|use pretrained weights
    |from scratch|train from scratch|without pretraining|use the large encoder|vitb|metric depth|relative depth
    |max depth 10 metres|in metres|centimetres|use the nyu protocol|use median pruning|prune bad trials
    |keep all checkpoints|warm start from the last study|don't use earlier studies|log to wandb|register the model
    |call the study attic|use podman|image depth:2|use slurm|partition a100|on node gpu17|as user bob|at night
    |with low priority|use 16 cores|32 threads|fp16|deterministic|I would prefer not to search
    |please don't do a search this time around|I never asked for tuning|search is off the table
    |no searching for now, thanks|don't stop the search after 2 hours|do not limit it to 20 trials
    |not just one training run|it's not that I don't want AutoML|I wouldn't say no to AutoML
    |AutoML is a must, don't skip it|don't do plain training|do not just train it|never train once
    |do anything but plain training|plain training is not enough|I'm not a fan of plain training
    |no HPO? yes please, HPO|HPO off? no!|turn off AutoML only if it takes over 2 hours
    |use AutoML unless there is just one GPU|AutoML, but not for the learning rate|no more than no trials
    |zero trials|less than one trial|not 20 trials|20 trials is too many|20 trials was what we did last time
    |last time it took 3 hours|the other run used 4 GPUs|we have 8 GPUs but use only 2|I have 2 hours of video
    |there are 4 GPUs, leave 2 free|all but one GPU|every GPU except the first|2 hours is not enough
    |more than 2 hours|at least 20 trials|20 trials or more|20 trials at least|two or three trials|20-30 trials
    |about an hour or two|half the trials of last time|twice as many trials as GPUs|20% of the budget
    |a thousand trials|1e3 trials|20 000 trials|1.000 trials|2,5 hours
    |2:30 hours|150 min per GPU hour|3 trials per hour|30 s per epoch|1 GPU per 2 trials|2 trials per GPU
    |one trial per GPU|4x2 GPUs|GPUs 0 and 1|GPU 0|use GPU number 3|cuda:1|trial 20|after trial 20 stop
    |the first 20 trials on one GPU|20 trials, then 30 more trials|20 trials for lr, 10 for the rest
    |2 hours today and 3 tomorrow|finish by 6pm|until Friday|this weekend|over night|as long as it takes
    |as few trials as possible|no time limit|unlimited trials|infinite budget|as many GPUs as you can get
    |whatever you think|the usual budget|default number of trials|a bunch of trials|don't waste GPU time
    |keep costs low|be quick|fast please|a quick test|smoke test only|dry run|don't run anything yet
    |only show the plan|just the plan|plan only|don't train, only search|evaluate only|no training
    |stop the running study|cancel it|I doubt that a search helps|the search can wait|skip it|forget about it
    |AutoML was useless last time|we tried AutoML already|AutoML? never again|no AutoML? then 20 trials
    |do the opposite of plain training|plain training is forbidden|avoid plain training|nothing like plain training
    |instead of plain training, search|plain training was bad, tune it|train once, then tune
    |first train once, then search|train once or twice|train it twice|train five times|one training for each GPU
    |not on my GPU|anywhere but the GPU|no GPU if possible|preferably 2 GPUs|2 GPUs if they are free
    |ideally 20 trials|something like 20 trials|roughly 20 trials|nearly 3 hours|20ish trials|20+ trials|<20 trials
    |>= 20 trials|20 trials/GPU|20 trials x 2|2x20 trials|twenty-odd trials|a score of trials
    |a couple trials|20 trials?|maybe 20 trials|20 trials, no, 30|20, I mean 30 trials|20 trials (or 30)
    |twenty 20 trials|one trial of 20|20th trial|top 20 trials|20 trials every hour|20 trials daily|20 trials a day
    |an hour a day|3 hours each day|2 hours from now|in 2 hours start 20 trials|wait 2 hours|start after 2 hours
    |20 trials but 30 if there is time|time: 2|gpu: yes|minimise d1|maximise abs rel
    |best d1 but also abs rel|best of d1 and rmse|not d1 but rmse|ignore d1|anything but d1|worst d1
    |maximize rmse|minimize val/d1|best possible everything|seed 3 or 4|seed three|random seed|any seed|sampler tpe
    |no GPU limit, 20 trials|Use AutoML without a GPU limit|use the CPU time
    |without any GPU budget, tune the hyperparameters|use AutoML with the vits model|train with a frozen network
    |use AutoML with a mixed precision model|I want to go with an untuned model|train my model using SGD network
    |let AutoML go|get AutoML to go from this run|all we need is training|2 GPUs with 3 hours each
    |let go of the search|train as is|train the model as it is|run with my settings
    |use the configuration as is|use these parameters and train|train with these hyperparameters
    |20 trials x 2 hours|20 trials running 2 hours|start the search after 2 hours|run once per day
    |Thanks, Search|Thanks, Nicht
    |if d1 > 0.9, stop|d1 < 0.9|patience 5 epochs|20 trials, 1 per trial|1 per trial|lower the d1
    |do not stop after 20 trials|train with defaults, then search|don't train with defaults
    |don't run once|not a single run
    |train only at night|train only the encoder|search is on, not off|20 tries per GPU|sorry|soon|android trials
    |use AutoML on the test data|train on the validation images|tune on a subset of my data
    |batch size 8 or 16|batch size 8 to 16|train with batch size 8 or 16|lr 1e-4, 1e-5|lr from 1e-4 to 1e-5
    |batch size 16, 20
    |dropout 0.1 or 0.2|1 trial, batch size 8 or 16|train for 20 epochs, lr 1e-3 to 1e-5|search lr 1e-5, 1e-3|lr 0, 001
    |lr 0|lr 0.0
    |search lr and batch size 8|search batch size 4 to 16 and lr 1e-4|search lr between 1e-5 and 1e-3 and batch size 8
    |search lr and set lr 1e-4|lr 1e-4, search lr|lr <= 1e-4|batch size <= 16|their lr is 1e-3|their batch size is 64
    |train on /data/my rooms|train on /data/nyu images|train on /data/nyu train|train on /path/to/train
    |train on /your/data
    |train on /some/path|train on /data/a.tar.gz|data in /data/a/cfg.yaml|train on /data/a/model.safetensors
    |train and validate on /data/a|train and validation data in /data/a|train, validate on /data/a
    |val data in /data/a, /data/b
    |report on /data/a|save the best model on /data/a|keep the best checkpoint on /data/a|best d1 on /data/a
    |build on /data/a
    |train on /data/a too|20 epochs, I guess|20 epochs, hopefully|20 epochs, difficult|I wonder, 20 epochs
    |I would like to know: 20 epochs|lr 1e-4, baseline|for the baseline: 20 epochs|baseline, 20 epochs|baseline: lr 1e-4
    |demo: 20 epochs|in the paper, 120 epochs|paper: 120 epochs|first version: 5 epochs|test run: 1 epoch
    |initial step: lr 1e-4
    |for the demo, 5 epochs; for the paper, 50 trials|current: 20 epochs|usually, 20 epochs|typical: lr 1e-4
    |my friend's: lr 1e-3|final: 50 epochs|search: 10 trials; final: 50 epochs|kitchen: 20 trials, garage: 2 hours
    |for our kitchen data: 20 epochs, for our garage data: 10 trials|on the cluster: batch size 32
    |on this server, batch size 8
    |lr 1e-4 as a start|lr 1e-4 to start with|lr 1e-4 at the start|lr 1e-4, to begin|to start, lr 1e-4
    |start with 5 epochs
    |train the best model for 50 epochs|20 trials, train the best one for 50 epochs
    |20 trials, and 50 epochs for the best one
    |use lr 1e-4 in one trial|lr 1e-4 for one trial|for one trial lr 1e-4|batch size 8 across 2 GPUs
    |batch size 8 for all GPUs
    |20 trials done|I've got 20 trials done|20 trials are done|1 epoch in 10 minutes|!20 trials|search batch size 4...8
    |search lr, wd on a log scale|search lr on a log scale and batch size between 4 and 16
    |tune lr & batch size 8|tune lr also batch size 8|tune lr and a batch size of 8|tune lr and my batch size 8
    |tune lr and wd for 2 hours each|tune lr and wd, 2 hours each|20 epochs where possible|per trial: 1 hour, 2 GPUs
    |each trial gets 2 GPUs, 1 hour|good: lr 1e-4|best: lr 1e-4|question: 20 trials|idea: 20 trials|topic: 20 trials
    |validate on /data/b. /data/a|validate on /data/b; /data/c|labels: /data/a|out: - /data/out
    |do not use /data/a for training|use /data/a or /data/b for training|use /data/a for training and validation
    |train on the validation data in /data/a|training on validation data in /data/a|tune lr, wd and so on
    |start lr 1e-4|lr 5|learning rate 10|search epochs: 20
    |search lr between 1e-5 and 1e-3 and batch size between 4 and 16 on a log scale"""
"""A setting that is not read, a negation, a rate, a deadline, to run nothing: each is a question."""
FOREIGN = """20 Versuche auf 2 GPUs|h\xf6chstens zwei Stunden|ohne Hyperparametersuche, nur trainieren|kein Tuning bitte
    |Suche mit 20 trials, aber nicht auf GPU
    |bitte 20 trials und keine Suche|maximal 3 Stunden suchen|d\xe9sactive AutoML
    |entra\xeenement simple|une seule fois|pas de recherche|20 trials maximum, sans GPU|deux heures au plus
    |lance une recherche de 20 trials|ne pas optimiser|desactiva AutoML|entrena una sola vez
    |nada de b\xfasqueda, 20 trials|m\xe1ximo dos horas|no busques hiperpar\xe1metros
    |solo un entrenamiento|busca durante 2 horas|usa 2 GPUs y no m\xe1s|disattiva AutoML|addestra una volta sola
    |nessuna ricerca|senza AutoML, 10 trials|massimo due ore|non cercare|20 prove|zet AutoML uit
    |\xe9\xe9n keer trainen|zonder zoeken, 2 GPUs|niet meer dan 20 trials|maximaal 2 uur|desligue o AutoML
    |treine uma vez s\xf3|n\xe3o procure|at\xe9 20 trials, sem GPU|\u53ea\u8bad\u7ec3\u4e00\u6b21
    |20 trials\uff0c\u4e0d\u8981\u641c\u7d22|AutoML\u306a\u3057\u3067|\u0431\u0435\u0437 AutoML, 20 trials|nur 1 GPU
    |nur 2 h|Trainiere das Modell einmal|keine Suche|mach 20 Durchl\xe4ufe|zwei GPUs und zwei Stunden|such nicht
    |ohne HPO 20 trials|20 trials, keine GPU|nicht mehr als 20 trials|weniger als 20 trials|AutoML bitte nicht
    |lieber nicht suchen|20 trials in zwei Stunden|trouve les meilleurs hyperparam\xe8tres
    |pas plus de 20 trials|20 trials au plus|moins de 20 trials|sans GPU|n'utilise pas AutoML|AutoML non|une heure
    |entrena el modelo|no m\xe1s de 20 trials|menos de 20 trials|20 trials como m\xe1ximo|sin GPU|una hora
    |dos GPUs|maximiza d1|allena una volta|non pi\xf9 di 20 trials|meno di 20 trials|20 trials al massimo
    |AutoML no grazie|un'ora|due GPU|train eenmalig|minder dan 20 trials|geen GPU|AutoML niet|twee uur|niet tunen
    |treina uma vez|menos de 20 trials|sem GPU, 20 trials|duas horas|AutoML n\xe3o"""
"""German, French, Spanish, Italian, Dutch, Portuguese, Chinese, Japanese, Russian: what is not read is a question."""


def read(text: str) -> ParsedRequest:
    return parse_request(text, metrics=METRICS, names=("depth_net_mono",))


def is_asked(parsed: ParsedRequest) -> bool:
    return bool(parsed.questions)


@pytest.mark.parametrize(("text", "right"), PLAIN.items())
def test_a_plain_sentence_is_read_right_or_not_at_all(text: str, right: tuple[str | None, dict[str, Any]]) -> None:
    parsed = read(text)

    assert is_asked(parsed) or (parsed.policy, parsed.values) == right


def test_few_plain_sentences_are_stopped_for_a_question() -> None:
    assert sum(is_asked(read(text)) for text in PLAIN) <= MOST_ASKED * len(PLAIN)


@pytest.mark.parametrize("text", [text.strip() for text in f"{STOPPED}|{FOREIGN}".split("|")])
def test_what_cannot_be_read_exactly_is_a_question(text: str) -> None:
    assert is_asked(read(text))
