"""The explainer film: real runs, scenes that draw them, and the video made of the frames.

    runs/        what is shown: each run is made by one command, with its seed, and kept as JSON
    scenes/      one scene a file: artists on a stage, and beats that move them
    stage.py     the board that scenes draw on
    script.py    beats to frames, and captions to times
    video.py     frames to mp4 and gif

``python -m renders.film`` makes all of it.
"""
