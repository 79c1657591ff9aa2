"""Models as ONNX files, for ONNX Runtime, OpenVINO, TensorRT and the browser."""
