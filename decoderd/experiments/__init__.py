"""Published results, made again: `decoderd reproduce`.

bands             where a value is expected to lie, and whether it does
report            one self-contained HTML page about an experiment
pool              the parts of an experiment on several processes, with the same result whatever their number
command           the command line's part
static_network    the linear-Gaussian network and its exact gradient descent
training          a course of learning of such networks, with what is kept of it
manifold          within- and outside-manifold perturbations of the static network: what is run
manifold_bands    what is expected of it, and where that comes from
manifold_figures  its figures
manifold_report   the experiment as a whole
"""
