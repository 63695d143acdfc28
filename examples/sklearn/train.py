"""A linear classifier of scikit-learn that reports by automl.report; outside a study that does nothing."""

import argparse
import os
import pickle
import time
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from automl import report, should_stop

parser = argparse.ArgumentParser()
parser.add_argument("--eta0", type=float, default=0.00001, help="step size")
parser.add_argument("--alpha", type=float, default=0.0001, help="regularisation")
parser.add_argument("--epochs", type=int, default=6)
parser.add_argument("--resume")
args = parser.parse_args()

images, digits = load_digits(return_X_y=True)
train, held_out, train_y, held_out_y = train_test_split(images / 16, digits, random_state=0)
model, first = SGDClassifier("log_loss", learning_rate="constant", eta0=args.eta0, alpha=args.alpha, random_state=0), 0
if args.resume:
    model, first = pickle.loads(Path(args.resume).read_bytes())
for epoch in range(first, args.epochs):
    model.partial_fit(train, train_y, classes=range(10))
    file = Path(f"model_{epoch}.pkl")
    file.write_bytes(pickle.dumps((model, epoch + 1)))
    loss = log_loss(train_y, model.predict_proba(train)) if abs(model.coef_).max() < 1e12 else float("nan")
    report(epoch=epoch, train_loss=loss, val_acc=model.score(held_out, held_out_y), checkpoint=file)
    if should_stop():
        break
    time.sleep(float(os.environ.get("EPOCH_S", "0")))
