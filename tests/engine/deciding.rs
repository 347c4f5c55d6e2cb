//! What is planned in the situations of a platform's life.
