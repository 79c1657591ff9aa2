"""Operations that are several layers, or a whole step, in one."""
