"""A notebook of Jupyter, run cell by cell."""

from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

CELLS = [
    "from digits import *",
    "model = train(new_model())",
    "print('trained', weights(model))",
    "print('predicted', answers(model.predict(x_test)))",
    "from threading import Thread\nthread = Thread(target=train, args=[model])\nthread.start()",
    "accuracy = model.evaluate(x_test, y_test).accuracy",
    "thread.join()\nprint('trained twice', weights(model))",
    "%run -i " + __file__.replace("notebook.py", "own_layer.py"),
]
QUIET = ["--log-level=ERROR"]

notebook = new_notebook(cells=[new_code_cell(cell) for cell in CELLS])
client = NotebookClient(notebook, kernel_name="python3", extra_arguments=QUIET)
client.execute()
for cell in notebook.cells:
    for output in cell.outputs:
        print(output.text, end="")
