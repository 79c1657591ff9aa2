from gpucnn.backends.ops.conv_classifier import conv_classifier

NOTEBOOK = conv_classifier((28, 28), (3, 3), (2, 2), 8, 10, "float32")
ODD = conv_classifier((11, 12), (2, 3), (3, 2), 4, 3, "float32")
FINE = conv_classifier((11, 12), (2, 3), (3, 2), 4, 3, "float64")
print(NOTEBOOK)
