"""A program that takes no notice of the end of its children, as some servers do."""

import signal
import subprocess

from digits import answers, new_model, train, weights, x_test

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
model = train(new_model())
print("trained", weights(model))
subprocess.Popen(["true"]).wait()
print("predicted", answers(model.predict(x_test)))
