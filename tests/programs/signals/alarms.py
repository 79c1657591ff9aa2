"""A timer's signal comes all the time while a model fits."""

import signal

from digits import answers, new_model, train, weights, x_test

alarms = 0


def count(*_: object) -> None:
    global alarms
    alarms += 1


signal.signal(signal.SIGALRM, count)
signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
model = train(new_model())
print("trained", weights(model))
print("predicted", answers(model.predict(x_test)))
signal.setitimer(signal.ITIMER_REAL, 0)
print("alarms came", alarms > 10)
