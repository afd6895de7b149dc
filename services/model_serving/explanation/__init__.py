"""What each column did to a prediction: Shapley values of tree and linear models, off the path of predictions."""
