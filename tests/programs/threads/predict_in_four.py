"""Four threads ask one model about single images, and two about all, at the same time."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from digits import answers, new_model, train, x_test, y_test

model = train(new_model())
IMAGES = 400
alone = [model.predict(image[None]) for image in x_test[:IMAGES]]
whole = answers(model.predict(x_test))
accuracy = model.evaluate(x_test, y_test)

with ThreadPoolExecutor(6) as pool:
    large = [pool.submit(model.predict, x_test) for _ in range(5)]
    measured = [pool.submit(model.evaluate, x_test, y_test) for _ in range(5)]
    single = list(pool.map(model.predict, x_test[:IMAGES, None]))

print("single", sum(map(np.array_equal, single, alone)))
print("whole", sum(answers(each.result()) == whole for each in large))
print("measured", sum(each.result() == accuracy for each in measured))
