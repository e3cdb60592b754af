//! What images use, in SQLite: one compressed document per image and node.

use plimsoll_model::{Digest, ImageUsage};
use rusqlite::params;

use super::SqliteStore;
use crate::{
    Error,
    error::Result,
    limits,
    store::{NodeUsage, UsageStore},
};

const COMPRESSION_LEVEL: i32 = 3;
const DAY_MS: i64 = 24 * 3600 * 1000;

impl UsageStore for SqliteStore {
    fn save_usage(&self, node: &str, images: &[ImageUsage], now_ms: i64) -> Result<()> {
        let mut documents = Vec::new();
        for image in images {
            let json = serde_json::to_vec(image).map_err(|error| corrupt(&error))?;
            let document = zstd::bulk::compress(&json, COMPRESSION_LEVEL).map_err(|error| corrupt(&error))?;
            documents.push((image, document));
        }
        self.write("save what images use", |db| {
            db.execute(
                "DELETE FROM image_usage WHERE updated_ms < ?",
                [now_ms.saturating_sub(limits::USAGE_DAYS * DAY_MS)],
            )?;
            for (image, document) in documents {
                db.execute(
                    "INSERT INTO image_usage (config_digest, node, manifest_digest, updated_ms, document) VALUES (?, ?, ?, ?, ?)
                     ON CONFLICT (config_digest, node) DO UPDATE SET manifest_digest = excluded.manifest_digest,
                        updated_ms = excluded.updated_ms, document = excluded.document",
                    params![
                        image.config_digest.to_string(),
                        node,
                        image.manifest_digest.map(|digest| digest.to_string()),
                        now_ms,
                        document
                    ],
                )?;
            }
            Ok(())
        })
    }

    fn list_usage(&self, digest: &Digest) -> Result<Vec<NodeUsage>> {
        let rows: Vec<(String, i64, Vec<u8>)> = self.read("read what an image uses", |db| {
            let mut statement = db.prepare_cached(
                "SELECT node, updated_ms, document FROM image_usage WHERE config_digest = ?1 OR manifest_digest = ?1
                 ORDER BY updated_ms DESC, node LIMIT ?2",
            )?;
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            statement
                .query_map(params![digest.to_string(), limits::MAX_USAGE_NODES], read)?
                .collect()
        })?;
        let mut found = Vec::new();
        for (node, updated_ms, document) in rows {
            let json = zstd::bulk::decompress(&document, limits::MAX_USAGE_BODY_BYTES);
            let json = json.map_err(|error| corrupt(&error))?;
            found.push(NodeUsage {
                node,
                updated_ms,
                usage: serde_json::from_slice(&json).map_err(|error| corrupt(&error))?,
            });
        }
        Ok(found)
    }
}

fn corrupt(error: &dyn std::fmt::Display) -> Error {
    Error::Corrupt {
        noun: "usage of an image",
        detail: error.to_string(),
    }
}
