def draw(store):
    pass
