#!/usr/bin/env python3
"""A torrent over uTP alone: `make` it, `seed` it, `fetch` it from one peer. No DHT, no peer exchange, no local
discovery, no TCP."""

import argparse
import os
import shutil
import time

import libtorrent

PORT = 6881


def session(target, listen):
    return libtorrent.session({
        "listen_interfaces": listen, "enable_dht": False, "enable_lsd": False, "enable_upnp": False,
        "enable_natpmp": False, "enable_incoming_tcp": False, "enable_outgoing_tcp": False, "enable_incoming_utp": True,
        "enable_outgoing_utp": True, "out_enc_policy": 2, "in_enc_policy": 2, "utp_target_delay": target,
        "allow_multiple_connections_per_ip": True, "send_buffer_watermark": 4 << 20,
        "send_buffer_watermark_factor": 150, "max_out_request_queue": 1500, "disable_hash_checks": True, "alert_mask": 0
    })


def make(options):
    storage = libtorrent.file_storage()
    libtorrent.add_files(storage, options.file)
    torrent = libtorrent.create_torrent(storage, 1 << 20)
    libtorrent.set_piece_hashes(torrent, os.path.dirname(options.file))
    with open(options.torrent, "wb") as file:
        file.write(libtorrent.bencode(torrent.generate()))


def add(to, options, flags):
    parameters = libtorrent.add_torrent_params()
    parameters.ti = libtorrent.torrent_info(options.torrent)
    parameters.save_path = options.data
    parameters.flags = (flags | libtorrent.torrent_flags.disable_pex | libtorrent.torrent_flags.disable_dht
                        | libtorrent.torrent_flags.disable_lsd)
    return to.add_torrent(parameters)


def seed(options):
    with_peers = session(options.target, f"0.0.0.0:{PORT}")
    add(with_peers, options, libtorrent.torrent_flags.seed_mode | libtorrent.torrent_flags.upload_mode)
    while True:
        time.sleep(1)


def fetch(options):
    shutil.rmtree(options.data, ignore_errors=True)
    os.makedirs(options.data)
    with_peers = session(options.target, f"0.0.0.0:{PORT + 1}")
    torrent = add(with_peers, options, libtorrent.torrent_flags.sequential_download)
    while not torrent.status().is_seeding:
        if torrent.status().num_peers == 0:
            torrent.connect_peer((options.source, PORT))
        time.sleep(0.2)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("make", "seed", "fetch"))
    parser.add_argument("--torrent", required=True)
    parser.add_argument("--file", help="make: of what")
    parser.add_argument("--data", help="where the file is, or is to be")
    parser.add_argument("--target", type=int, default=100, help="queueing delay that uTP aims at, ms")
    parser.add_argument("--from", dest="source", help="fetch: the seed's address")
    options = parser.parse_args()
    {"make": make, "seed": seed, "fetch": fetch}[options.what](options)


if __name__ == "__main__":
    main()
