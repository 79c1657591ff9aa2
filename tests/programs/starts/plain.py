"""A program that does nothing but train and predict: what it prints is what the others must."""

from digits import LONG, answers, new_model, train, weights, x_test, y_test

model = train(new_model())
print("trained", weights(model))
print("predicted", answers(model.predict(x_test)))
print("accuracy", model.evaluate(x_test, y_test).accuracy)
print("trained twice", weights(train(model)))
print("one thread", weights(train(new_model(threads=1))))
print("trained long", weights(train(new_model(), LONG)))
