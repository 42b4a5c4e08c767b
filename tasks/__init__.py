"""One module for each DVC stage: reads inputs, calls lp_core, writes outputs."""
