//! What a type that wraps std's type of the same name passes on, macro by macro.

/// `Debug` that writes what std's type writes.
macro_rules! debug_as_std {
    ($($green:ty),* $(,)?) => {$(
        impl ::std::fmt::Debug for $green {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

/// Conversions from and into std's type of the same name.
macro_rules! plain_conversions {
    ($($green:ty = $plain:ty;)*) => {$(
        /// Beyond std: takes std's type of the same name into the mirror.
        impl From<$plain> for $green {
            fn from(plain: $plain) -> Self {
                Self(plain)
            }
        }

        /// Beyond std: gives std's type of the same name.
        impl From<$green> for $plain {
            fn from(green: $green) -> Self {
                green.0
            }
        }
    )*};
}
