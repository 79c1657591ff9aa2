"""Operations of training beside those of layers: losses, penalties, and optimizers."""
