//! Jobs, requests and recurring care that are stopped between any two of their steps on the database, and begun again:
//! in the end all is as if nothing had happened. What is done twice is done once.

mod jobs;
mod list;
mod outcome;
mod play;
mod requests;
mod upkeep;
mod world;
