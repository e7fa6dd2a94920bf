"""Population `rnn`: a recurrent network of firing rates that learns."""
