"""Connects the core to networks: one package a network, each seeing `bot.contract` alone."""
