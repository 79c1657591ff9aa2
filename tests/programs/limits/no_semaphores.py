"""Python was built where there are no named semaphores, so that multiprocessing has none."""

import _multiprocessing

del _multiprocessing.SemLock

from digits import answers, new_model, train, weights, x_test  # noqa: E402

model = train(new_model())
print("trained", weights(model))
print("predicted", answers(model.predict(x_test)))
