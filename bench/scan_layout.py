"""Makes an OCI layout of layers: NUMBER.tgz with the digest of what is in it in NUMBER.diff.

    python3 bench/scan_layout.py PARTS LAYOUT
"""
import hashlib
import json
import os
import sys

parts, layout = sys.argv[1], sys.argv[2]
blobs = f"{layout}/blobs/sha256"
os.makedirs(blobs)


def document(value, media_type):
    """Writes a JSON blob; its descriptor."""
    text = json.dumps(value).encode()
    digest = hashlib.sha256(text).hexdigest()
    with open(f"{blobs}/{digest}", "wb") as file:
        file.write(text)
    return {"mediaType": f"application/vnd.oci.image.{media_type}+json", "digest": f"sha256:{digest}", "size": len(text)}


layers, diff_ids = [], []
for number in range(sum(name.endswith(".tgz") for name in os.listdir(parts))):
    with open(f"{parts}/{number}.diff", encoding="ascii") as file:
        diff_ids.append("sha256:" + file.read().strip())
    path = f"{parts}/{number}.tgz"
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    layers.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": f"sha256:{digest}",
                   "size": os.path.getsize(path)})
    os.rename(path, f"{blobs}/{digest}")

config = document({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["bash"]},
                   "rootfs": {"type": "layers", "diff_ids": diff_ids}}, "config.v1")
manifest = document({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config,
                     "layers": layers}, "manifest.v1")
for name, value in {"oci-layout": {"imageLayoutVersion": "1.0.0"},
                    "index.json": {"schemaVersion": 2, "manifests": [manifest]}}.items():
    with open(f"{layout}/{name}", "w", encoding="utf-8") as file:
        json.dump(value, file)
