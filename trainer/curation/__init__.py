"""Long captioned video becomes a corpus: a clip a sentence, of the signer alone."""
