"""Operations on images as images, which move, resample, recolour and mix them."""
