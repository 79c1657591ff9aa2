"""`cupy.cuda`: the simulated device, streams, events and graphs."""
