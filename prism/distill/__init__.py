"""Learning from a teacher's whole distribution: stores, targets for other vocabularies, losses.

    teacher              a frozen model, its tokenizer, its last hidden states
    codec, fisher        hidden states to bytes and back, each with its error in nats
    store, capture       documents with their states, resumable, checked
    records, columns     the top k of answers: JSON lines, and the same in a fraction of the bytes
    marginal             targets of a smaller vocabulary from a larger one's distribution
    losses, extension    training on them: ``run_scale --data store:DIR --distill full``

``python -m prism.distill`` is the command.
"""
