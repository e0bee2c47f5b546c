//! What the queue under the worker library promises (ADR 0002), and what it leans on in that library.

mod library;
mod limits;
mod own_redis;
mod redis_faults;
mod taker;
