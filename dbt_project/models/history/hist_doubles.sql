{{ doubles(nights_in_build(), whole=is_first_build()) }}
