/** What is used of the SDK for Secrets Manager, for whoever imports it when a login is in a secret. */
export { GetSecretValueCommand, SecretsManagerClient, SecretsManagerServiceException } from '@aws-sdk/client-secrets-manager';
