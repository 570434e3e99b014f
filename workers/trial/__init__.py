"""One configuration becomes measured models: gate, train, convert, measure. Where that runs is for
`workers/executors`."""
