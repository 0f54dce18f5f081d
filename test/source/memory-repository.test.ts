import { repositoryContract } from '../contract/repository-contract.js';
import { MemoryRepository } from './memory-repository.js';

repositoryContract('the memory', async () => new MemoryRepository());
