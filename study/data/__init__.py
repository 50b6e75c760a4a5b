"""Images, their splits, and the stream of megabatches cut from them."""
