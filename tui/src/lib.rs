//! What an operator watches: the fleet's state read from Kafka
