"""The public names of Keras 3 that this library has not, and what to use instead."""

OWN_LAYER = "write a layer of your own, a subclass of gpucnn.layers.Layer"
OWN_LOSS = "write a loss of your own, a subclass of gpucnn.losses.Loss"
OWN_METRIC = "give a function of y_true and y_pred, or a subclass of gpucnn.metrics.Metric"
SEQUENCES = "gpucnn is for images, not for sequences; use Keras"
BEFORE = "prepare the data before, with NumPy"
MERGING = "use Add or Concatenate, or write a subclass of gpucnn.layers.MergingLayer"
REGISTER = "put @gpucnn.utils.register before your classes"
BY_NAME = "loss and metrics are given by name, as texts, or as objects"
PRETRAINED = (
    "there are no pretrained networks; build it of layers, or begin with gpucnn.models.lenet"
)

ABSENT: dict[str, dict[str, str]] = {
    "": {
        "activations": 'give activations by name, such as Dense(10, activation="relu")',
        "initializers": 'give initializers by name, such as kernel_initializer="he_normal"',
        "constraints": "weights are not constrained; leave it out",
        "ops random": "use the functions of NumPy, or in a layer of your own those of self.xp",
        "backend device": "give a model its device, as in Sequential(layers, device=...)",
        "config dtype_policies mixed_precision DTypePolicy FloatDTypePolicy": (
            'give a model its dtype, as in Sequential(layers, dtype="float64")'
        ),
        "saving": "use save of a model, and gpucnn.models.load_model",
        "legacy export KerasTensor Variable Operation InputSpec StatelessScope SymbolicScope"
        " name_scope remat RematScope tree wrappers quantizers Quantizer distillation": (
            "use Sequential, whose methods train, save and run a model"
        ),
        "distribution": "a batch is split over Sequential(layers, threads=...)",
        "preprocessing": BEFORE,
        "visualization": "use summary of a model",
        "Function": "use Model(inputs, outputs)",
        "Initializer": 'give initializers by name, such as kernel_initializer="he_normal"',
        "Regularizer": "use gpucnn.regularizers.L2",
    },
    "layers": {
        "Conv1D Convolution1D DepthwiseConv1D SeparableConv1D SeparableConvolution1D MaxPool1D"
        " MaxPooling1D AvgPool1D AveragePooling1D GlobalAvgPool1D GlobalAveragePooling1D"
        " GlobalMaxPool1D GlobalMaxPooling1D Cropping1D ZeroPadding1D SpatialDropout1D": (
            "use {flat}, with images that are one pixel high"
        ),
        "Conv3D Convolution3D MaxPool3D MaxPooling3D AvgPool3D AveragePooling3D GlobalAvgPool3D"
        " GlobalAveragePooling3D GlobalMaxPool3D GlobalMaxPooling3D Cropping3D ZeroPadding3D"
        " SpatialDropout3D": "images have two dimensions; use {flat}, with slices as channels",
        "Conv1DTranspose Conv2DTranspose Conv3DTranspose Convolution1DTranspose"
        " Convolution2DTranspose Convolution3DTranspose UpSampling1D UpSampling2D UpSampling3D": (
            f"nothing enlarges images; {OWN_LAYER}"
        ),
        "LSTM LSTMCell GRU GRUCell SimpleRNN SimpleRNNCell RNN StackedRNNCells ConvLSTM1D"
        " ConvLSTM2D ConvLSTM3D Bidirectional TimeDistributed Masking Attention AdditiveAttention"
        " MultiHeadAttention GroupQueryAttention Embedding ReversibleEmbedding TextVectorization"
        " StringLookup MelSpectrogram STFTSpectrogram RepeatVector": SEQUENCES,
        "Subtract Multiply Average Maximum Minimum Dot subtract multiply average maximum minimum"
        " dot": MERGING,
        "LayerNormalization GroupNormalization RMSNormalization UnitNormalization"
        " SpectralNormalization": f"use BatchNormalization, or {OWN_LAYER}",
        "GaussianNoise GaussianDropout AlphaDropout": f"use Dropout, or {OWN_LAYER}",
        "ActivityRegularization": "use kernel_regularizer of Conv2D and Dense",
        "RandomColorDegeneration RandomColorJitter"
        " RandomElasticTransform RandomGaussianBlur RandomGrayscale RandomHue"
        " RandomInvert RandomPerspective RandomPosterization RandomSaturation"
        " RandomSharpness RandAugment AugMix AutoContrast"
        " ContrastLimitedAdaptiveHistogramEqualization Equalization Solarization": (
            f"use RandomFlip, RandomTranslation or RandomRotation, or {OWN_LAYER}"
        ),
        "Resizing": "resize the images before, such as with Pillow",
        "CenterCrop": "use Cropping2D",
        "CategoryEncoding": "use gpucnn.utils.to_categorical on the data",
        "Discretization Hashing HashedCrossing IntegerLookup MaxNumBoundingBoxes Pipeline": BEFORE,
        "AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D": (
            "use AveragePooling2D or GlobalAveragePooling2D"
        ),
        "AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D": (
            "use MaxPool2D or GlobalMaxPooling2D"
        ),
        "PReLU": "use LeakyReLU, whose slope is given",
        "EinsumDense TernaryDense": "use Dense",
        "Identity": "leave it out",
        "InputLayer InputSpec": "use Input((28, 28, 1))",
        "Permute Lambda Wrapper FlaxLayer JaxLayer TFSMLayer TorchModuleWrapper": OWN_LAYER,
        "serialize deserialize": "use save of a model, and gpucnn.models.load_model",
    },
    "losses": {
        "sparse_categorical_crossentropy categorical_crossentropy binary_crossentropy"
        " mean_squared_error mse MSE bce BCE": (
            'give compile the name as a text, such as loss="{name}"'
        ),
        "BinaryFocalCrossentropy CategoricalFocalCrossentropy CategoricalGeneralizedCrossEntropy"
        " binary_focal_crossentropy categorical_focal_crossentropy"
        " categorical_generalized_cross_entropy": (
            f"use CategoricalCrossentropy or BinaryCrossentropy, or {OWN_LOSS}"
        ),
        "MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredLogarithmicError Huber LogCosh"
        " mean_absolute_error mean_absolute_percentage_error mean_squared_logarithmic_error huber"
        " log_cosh mae MAE mape MAPE msle MSLE": f"use MeanSquaredError, or {OWN_LOSS}",
        "Hinge SquaredHinge CategoricalHinge hinge squared_hinge categorical_hinge": (
            f"use BinaryCrossentropy or CategoricalCrossentropy, or {OWN_LOSS}"
        ),
        "CTC Circle CosineSimilarity Dice KLDivergence Poisson Tversky ctc circle"
        " cosine_similarity dice kl_divergence poisson tversky": OWN_LOSS,
        "get serialize deserialize": BY_NAME,
    },
    "metrics": {
        "BinaryCrossentropy CategoricalCrossentropy SparseCategoricalCrossentropy": (
            "compile with it as the loss, which is measured in any case"
        ),
        "AUC BinaryIoU CategoricalHinge ConcordanceCorrelation CosineSimilarity FBetaScore"
        " FalseNegatives FalsePositives Hinge IoU KLDivergence LogCoshError Mean"
        " MeanAbsolutePercentageError MeanIoU MeanMetricWrapper MeanSquaredLogarithmicError"
        " OneHotIoU OneHotMeanIoU PearsonCorrelation Poisson PrecisionAtRecall R2Score"
        " RecallAtPrecision RootMeanSquaredError SensitivityAtSpecificity"
        " SpecificityAtSensitivity SquaredHinge Sum TrueNegatives TruePositives": OWN_METRIC,
        "binary_accuracy categorical_accuracy sparse_categorical_accuracy mean_absolute_error"
        " mean_squared_error sparse_top_k_categorical_accuracy top_k_categorical_accuracy"
        " mse MSE mae MAE": ('give compile the name as a text, such as metrics=["{name}"]'),
        "binary_crossentropy binary_focal_crossentropy categorical_crossentropy"
        " categorical_focal_crossentropy categorical_hinge concordance_correlation hinge huber"
        " kl_divergence log_cosh mean_absolute_percentage_error mean_squared_logarithmic_error"
        " pearson_correlation poisson sparse_categorical_crossentropy squared_hinge": OWN_METRIC,
        "get serialize deserialize": BY_NAME,
    },
    "regularizers": {
        "L1 L1L2 OrthogonalRegularizer Regularizer l1 l1_l2 orthogonal_regularizer": "use L2",
        "get serialize deserialize": "use L2",
    },
    "optimizers": {
        "Adadelta Adafactor Adamax Ftrl Lamb Nadam ScheduleFreeAdamW": (
            "use Adam or AdamW, or write one of your own, a subclass of gpucnn.optimizers.Optimizer"
        ),
        "MultiOptimizer OptimizerMap": "a model has one optimizer; use Muon or Adam",
        "LossScaleOptimizer": "the arithmetic is that of float32 or float64; leave it out",
        "legacy": "use the optimizers of gpucnn.optimizers",
        "get serialize deserialize": 'give compile a name, such as optimizer="adam", or an object',
    },
    "optimizers.schedules": {
        "CosineDecayRestarts": "use CosineDecay, or PolynomialDecay with cycle=True",
        "InverseTimeDecay": "use ExponentialDecay or PolynomialDecay",
        "serialize deserialize": "use save of a model, and gpucnn.models.load_model",
    },
    "callbacks": {
        "BackupAndRestore OrbaxCheckpoint": (
            "use ModelCheckpoint; a model that is loaded trains on as if nothing had happened"
        ),
        "SwapEMAWeights": "give the optimizer use_ema=True",
        "History": "use what fit returns",
        "ProgbarLogger": "give fit verbose=1",
        "RemoteMonitor": "use LambdaCallback",
    },
    "datasets": {
        "boston_housing california_housing imdb reuters": "gpucnn is for images; load the data as"
        " arrays, and give them to fit",
    },
    "utils": {
        "register_keras_serializable CustomObjectScope custom_object_scope get_custom_objects"
        " get_registered_name get_registered_object": REGISTER,
        "serialize_keras_object deserialize_keras_object": (
            "use save of a model, and gpucnn.models.load_model"
        ),
        "plot_model model_to_dot get_source_inputs": "use summary of a model",
        "clear_session": "nothing is kept from model to model; leave it out",
        "enable_interactive_logging disable_interactive_logging is_interactive_logging_enabled"
        " Progbar": "give fit verbose=0, 1 or 2",
        "split_dataset": "give fit validation_split",
        "image_dataset_from_directory": "use gpucnn.load_images, which gives arrays",
        "get_file array_to_img img_to_array load_img save_img": (
            "load the images as arrays, such as with Pillow"
        ),
        "audio_dataset_from_directory text_dataset_from_directory timeseries_dataset_from_array"
        " pad_sequences": SEQUENCES,
        "Config FeatureSpace bounding_boxes legacy normalize pack_x_y_sample_weight"
        " unpack_x_y_sample_weight standardize_dtype is_keras_tensor": BEFORE,
    },
    "models": {
        "clone_model": "use copy.deepcopy",
        "model_from_json": "use load_model",
        "save_model": "use save of the model",
    },
    "applications": {
        "ConvNeXtBase ConvNeXtLarge ConvNeXtSmall ConvNeXtTiny ConvNeXtXLarge DenseNet121"
        " DenseNet169 DenseNet201 EfficientNetB0 EfficientNetB1 EfficientNetB2 EfficientNetB3"
        " EfficientNetB4 EfficientNetB5 EfficientNetB6 EfficientNetB7 EfficientNetV2B0"
        " EfficientNetV2B1 EfficientNetV2B2 EfficientNetV2B3 EfficientNetV2L EfficientNetV2M"
        " EfficientNetV2S InceptionResNetV2 InceptionV3 MobileNet MobileNetV2 MobileNetV3Large"
        " MobileNetV3Small NASNetLarge NASNetMobile ResNet101 ResNet101V2 ResNet152 ResNet152V2"
        " ResNet50 ResNet50V2 VGG16 VGG19 Xception convnext densenet efficientnet efficientnet_v2"
        " imagenet_utils inception_resnet_v2 inception_v3 mobilenet mobilenet_v2 mobilenet_v3"
        " nasnet resnet50 resnet_v2 vgg16 vgg19 xception": PRETRAINED,
    },
}
"""For each module, by its name in Keras: names, and the advice on each of them.

In an advice, {name} stands for the name, and {flat} for that of the layer of two dimensions.
"""


def advice_on(module: str, name: str) -> str | None:
    """What to use instead of a name of Keras's that a module has not; None if Keras has it not.

    Args:
        module: "gpucnn", or the name of a module within it.
        name: the name in it.
    """
    of_module = ABSENT.get(module.removeprefix("gpucnn").removeprefix("."), {})
    for names, advice in of_module.items():
        if name in names.split():
            flat = name.replace("1D", "2D").replace("3D", "2D")
            return advice.replace("{name}", name).replace("{flat}", flat)
    return None
